"""What every stage may take for granted of a sample: its question, and its row as read again."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.reading import is_text
from samr1.data.image_files import MAX_PIXELS

_NEVER_NULL = ("sample_id", "image_id", "image_path", "width", "height", "query", "sentence_index")

_MOST_CHARACTERS = 2_000  # of a question; the data sets' have hundreds


def check_query(query: object, name: str) -> str:
    """A question without blanks around it; raises UserError where `name` cannot be asked."""
    if not isinstance(query, str):
        raise UserError(f"{name} is no text; give it words or leave it out.")
    if not is_text(query):
        raise UserError(f"{name} is no valid Unicode; write it again.")
    if not 0 < len(query.strip()) <= _MOST_CHARACTERS:
        raise UserError(
            f"{name} has {len(query.strip()):,} characters, and a question 1 to "
            f"{_MOST_CHARACTERS:,}; write it again or leave it out."
        )
    return query.strip()


def load_samples(path: Path) -> pa.Table:
    """Read a table of samples as `schemas.SAMPLES`.

    Raises UserError where the file is none, a cell is null that may not be, two rows have one
    `sample_id`, an image has no size or too large a one, or its path leads out of the data root.
    """
    samples = read_table(path, schemas.SAMPLES)
    for name in _NEVER_NULL:
        if samples[name].null_count:
            row = pc.index(pc.is_null(samples[name]), True).as_py()
            raise UserError(f"{path}, row {row}: its {name} is null; index the data set again.")
    counts = samples["sample_id"].value_counts()
    if twice := next((each["values"] for each in counts.to_pylist() if each["counts"] > 1), None):
        raise UserError(f"{path}: the sample_id {twice!r} stands twice; keep one of its rows.")
    for image_path in samples["image_path"].unique().to_pylist():
        parts = PurePosixPath(image_path)
        if parts.is_absolute() or ".." in parts.parts or not is_text(image_path):
            raise UserError(f"{path}: the image_path {image_path!r} leads out of the data root.")
    sizes = zip(samples["width"].to_pylist(), samples["height"].to_pylist(), strict=True)
    for row, (width, height) in enumerate(sizes):
        if min(width, height) < 1 or width * height > MAX_PIXELS:
            raise UserError(
                f"{path}, row {row}: says that its image is {width}×{height} pixels; no image has "
                f"more than {MAX_PIXELS:,}, or none."
            )
    return samples
