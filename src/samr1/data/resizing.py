"""Resize every image once, to the policy's square, and read the results by image.

The filter is PIL's bilinear, as Seg-Zero prepares its data. Pictures are kept as PNG: lossless, and
the same bytes for the same pixels.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError, refusing
from samr1.core.files import atomic_file, remove_parts
from samr1.core.reading import BROKEN_PARQUET, open_parquet
from samr1.data.images import load_original, open_rgb

# What one read brings in: about 16 MB at 840×840, so that a random image does not cost a hundred.
ROWS_PER_GROUP = 16
CACHED_GROUPS = 8
_REMEDY = "make it with resize_images"
LARGEST = 4_096  # pixels a side: 50 MB, and 21,000 tokens of the policy's


def resize_images(samples: pa.Table, root: Path, image_size: int, output: Path) -> None:
    """Write one row of `schemas.IMAGES` for every image of `samples`, in order of appearance.

    Images are read from `root`/`image_path` and resized to `image_size`×`image_size` RGB, with one
    row group in memory at a time. Raises UserError, and leaves no file, where an image is missing,
    broken or truncated, its size is not that of its sample, or `image_size` is none.
    """
    if not 1 <= image_size <= LARGEST:
        raise UserError(f"image_size = {image_size}: must be 1 to {LARGEST:,} pixels a side.")
    remove_parts(output)  # of a resizing that was killed: as large as the images themselves
    schema = schemas.IMAGES.with_metadata({"image_size": str(image_size)})
    with (
        atomic_file(output) as temporary,
        pq.ParquetWriter(temporary, schema, compression="none", use_dictionary=False) as writer,
    ):
        images = iter(tqdm(_unique_images(samples), desc="resize", unit="image", disable=None))
        while some := list(islice(images, ROWS_PER_GROUP)):
            rows = [_resize(image, root, image_size) for image in some]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _unique_images(samples: pa.Table) -> list[dict[str, Any]]:
    columns = ["image_id", "image_path", "width", "height", "sample_id"]
    first: dict[str, dict[str, Any]] = {}
    for row in samples.select(columns).to_pylist():
        kept = first.setdefault(row["image_id"], row)
        if kept["image_path"] != row["image_path"]:
            raise UserError(
                f"image_id {row['image_id']}: {kept['sample_id']} and {row['sample_id']} give it "
                f"two files, {kept['image_path']} and {row['image_path']}; an id is of one image."
            )
    return list(first.values())


def _resize(image: dict[str, Any], root: Path, image_size: int) -> dict[str, Any]:
    width, height = image["width"], image["height"]
    pixels = load_original(root / image["image_path"], width, height, image["sample_id"])
    buffer = io.BytesIO()
    to_square(pixels, image_size).save(buffer, format="PNG", compress_level=1)
    return {
        "image_id": image["image_id"],
        "width": width,
        "height": height,
        "resized": buffer.getvalue(),
    }


def to_square(pixels: npt.NDArray[np.uint8], image_size: int) -> Image.Image:
    """An RGB image, uint8 [h, w, 3], as the policy sees it: `image_size`×`image_size`."""
    return Image.fromarray(pixels).resize((image_size, image_size), Image.Resampling.BILINEAR)


class ImageStore:
    """The resized images of one file by `image_id`; only the row groups last used are in memory.

    Not to be shared between threads.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`; raises UserError where it is not a file that `resize_images` wrote."""
        self.path = path
        file = open_parquet(path, _REMEDY)
        told = (file.schema_arrow.metadata or {}).get(b"image_size", b"")
        ours = file.schema_arrow.equals(schemas.IMAGES)
        if not ours or not re.fullmatch(rb"\d{1,4}", told):
            raise UserError(f"{path}: not a file of resized images; {_REMEDY}.")
        self.image_size = int(told)  # pixels a side
        self._places: dict[str, tuple[int, int]] = {}  # image_id -> (row group, row in it)
        for group in range(file.num_row_groups):
            ids = _read_column(path, file, "image_id", group).to_pylist()
            self._places.update((image_id, (group, row)) for row, image_id in enumerate(ids))
        self._pictures = lru_cache(CACHED_GROUPS)(partial(_read_column, path, file, "resized"))

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._places

    def get(self, image_id: str) -> Image.Image:
        """The image as RGB, `image_size`×`image_size`. Raises UserError where it is not there."""
        if image_id not in self._places:
            raise UserError(f"{self.path}: has no image {image_id}; make it from these samples.")
        group, row = self._places[image_id]
        data = self._pictures(group)[row].as_py() or b""
        return open_rgb(data, f"{self.path}, image {image_id}", self.image_size)


def _read_column(path: Path, file: pq.ParquetFile, column: str, group: int) -> pa.ChunkedArray:
    """One column of a row group; raises UserError where the file is broken there."""
    with refusing(f"{path}: {BROKEN_PARQUET}", _REMEDY):
        table = file.read_row_group(group, columns=[column])
        table.validate(full=True)
    return table[column]
