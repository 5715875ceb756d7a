"""Predictions that other code wrote, checked and brought into one form.

Three forms are read: a folder of PNG masks, a COCO-results JSON, a predictions Parquet. Every
question must be answered once and nothing else. Files are not trusted: sizes are looked at before
anything is decoded, and nothing in them can run code.

A question is named by its `sample_id`; where no two questions share it, by its `image_id` or by the
last part of its `sample_id` too (ReasonSeg's NAME).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data.masks import Mask, encode_mask, mask_box, polygons_to_mask, rle_to_mask
from samr1.evaluation.answers import answers_in_order, read_box, read_mask

MAX_FILE_BYTES = 2_000_000_000  # of a JSON or Parquet file, or of what a Parquet file unpacks to

# A mask has one channel: black and white, grey (8 or 16 bits) or palette.
_MASK_MODES = ("1", "L", "P", "I;16", "I;16B")

Row = dict[str, Any]
Answer = tuple[Mask | None, list[float] | None]  # mask [h, w] and box (xyxy), original pixels


def import_predictions(path: Path, samples: pa.Table, needed: str) -> pa.Table:
    """The predictions at `path` as rows of `schemas.PREDICTIONS`, in the order of `samples`.

    `needed` is what the benchmark is scored by, "mask" or "box". Where a file gives masks alone, a
    box is its mask's extent. An answer that gives neither has the status `no_answer`. Raises
    UserError naming the file and the question that is wrong, and where nothing has what is needed.
    """
    rows = samples.select(["sample_id", "image_id", "width", "height"]).to_pylist()
    if path.is_dir():
        answers = _read_folder(path, rows)
    elif path.suffix == ".json" and path.is_file():
        answers = _read_json(path, rows)
    elif path.suffix == ".parquet" and path.is_file():
        answers = _read_parquet(path, samples, rows)
    else:
        raise UserError(
            f"{path}: there is no such folder of PNG masks, COCO-results .json or predictions "
            ".parquet; put it there or correct the path."
        )
    found = []
    pairs = zip(rows, answers, strict=True)
    for row, (mask, box) in tqdm(pairs, "import", len(rows), unit="sample", disable=None):
        found.append(_prediction(row["sample_id"], mask, box))
    if all(one[needed] is None for one in found):
        raise UserError(f"{path}: gives no {needed}, and this benchmark is scored by it.")
    return pa.Table.from_pylist(found, schema=schemas.PREDICTIONS)


def _prediction(sample_id: str, mask: Mask | None, box: list[float] | None) -> Row:
    if box is None and mask is not None and mask.any():
        box = mask_box(mask)
    answered = mask is not None or box is not None
    return {
        "sample_id": sample_id,
        "points": [],
        "box": box,
        "mask": None if mask is None else dict(encode_mask(mask)),
        "status": "ok" if answered else "no_answer",
    }


def _known_names(rows: list[Row]) -> dict[str, str]:
    """Every name that stands for one question alone -> its sample_id."""
    names: dict[str, set[str]] = {}
    for row in rows:
        sample_id = row["sample_id"]
        for name in {sample_id, row["image_id"], sample_id.rpartition("/")[2]}:
            names.setdefault(name, set()).add(sample_id)
    own = {row["sample_id"]: row["sample_id"] for row in rows}
    return {name: next(iter(ids)) for name, ids in names.items() if len(ids) == 1} | own


def _file_under(
    path: Path, found: dict[str, Any], names: dict[str, str], name: str, where: str, what: Any
) -> None:
    """Keep `what` for the question called `name`; raises UserError where there is none, or two."""
    if name not in names:
        raise UserError(
            f"{path}: {where} answers {name!r}, which names no question of this benchmark, or "
            "several; name them by sample_id and leave out all others."
        )
    sample_id = names[name]
    if sample_id in found:
        raise UserError(f"{path}: {where} answers {sample_id!r} once more; keep one answer.")
    found[sample_id] = what


def _check_complete(path: Path, found: dict[str, Any], rows: list[Row]) -> None:
    missing = [row["sample_id"] for row in rows if row["sample_id"] not in found]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of {len(rows)} questions have no answer, the first "
            f"{missing[0]!r}; answer every one."
        )


def _read_folder(path: Path, rows: list[Row]) -> Iterator[Answer]:
    """The masks SAMPLE_ID.png below a folder; every pixel that is not 0 belongs to the object."""
    names, files = _known_names(rows), dict[str, Path]()
    for file in sorted(path.rglob("*.png")):
        where = str(file.relative_to(path))
        _file_under(path, files, names, where.removesuffix(".png"), where, file)
    _check_complete(path, files, rows)
    return ((_read_png(files[row["sample_id"]], row), None) for row in rows)


def _read_png(file: Path, row: Row) -> Mask:
    size = (row["width"], row["height"])
    try:
        with Image.open(file, formats=("PNG",)) as image:
            # The header is read, and nothing decoded yet.
            if image.size != size:
                raise UserError(
                    f"{file}: the mask is {image.width}×{image.height} pixels and the image of "
                    f"{row['sample_id']!r} {size[0]}×{size[1]}; masks are at the original's size."
                )
            if image.mode not in _MASK_MODES:
                raise UserError(
                    f"{file}: has the mode {image.mode}, not one channel; write 0 off the object "
                    "and 255 on it."
                )
            return np.asarray(image) != 0
    except UnidentifiedImageError as error:
        raise UserError(f"{file}: is no PNG image; write the mask again.") from error
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{file}: claims more pixels than any image here; write it again."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"{file}: the image is broken ({error}); write the mask again.") from error


def _read_json(path: Path, rows: list[Row]) -> Iterator[Answer]:
    """A list of {"sample_id" or "image_id", "segmentation" and/or "bbox"}, as COCO's results."""
    _check_size(path, path.stat().st_size)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a readable JSON file ({error}); write it again.") from error
    if not isinstance(entries, list):
        raise UserError(f"{path}: must be a list of results, as COCO's are.")
    names, found = _known_names(rows), dict[str, Row]()
    for number, entry in enumerate(entries, start=1):
        name = entry.get("sample_id", entry.get("image_id")) if isinstance(entry, dict) else None
        if type(name) not in (str, int):
            raise UserError(f"{path}: result {number} has no sample_id and no image_id.")
        _file_under(path, found, names, str(name), f"result {number}", entry)
    _check_complete(path, found, rows)
    return (_read_result(path, found[row["sample_id"]], row) for row in rows)


def _read_result(path: Path, entry: Row, row: Row) -> Answer:
    segmentation, bbox = entry.get("segmentation"), entry.get("bbox")
    where, size = f"{path}: {row['sample_id']!r}", (row["height"], row["width"])
    mask = None
    try:
        if isinstance(segmentation, dict):
            mask = rle_to_mask(segmentation, *size)
        elif isinstance(segmentation, list):
            mask = polygons_to_mask(segmentation, *size) if segmentation else np.zeros(size, bool)
        elif segmentation is not None:
            raise UserError("its segmentation is neither run lengths nor polygons.")
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    if bbox is None:
        return mask, None
    try:
        x, y, width, height = (float(number) for number in bbox)
        if not np.isfinite([x, y, width, height]).all() or isinstance(bbox, str):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where}: its bbox {bbox!r} is not [x, y, width, height].") from error
    return mask, [x, y, x + width, y + height]


def _read_parquet(path: Path, samples: pa.Table, rows: list[Row]) -> Iterator[Answer]:
    """A table with `sample_id` and `mask` (COCO RLE) and/or `box` (xyxy); null is no answer."""
    _check_size(path, path.stat().st_size)
    try:
        file = pq.ParquetFile(path)
        groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
        _check_size(path, sum(group.total_byte_size for group in groups))
        columns = [name for name in ("mask", "box") if name in file.schema_arrow.names]
        if "sample_id" not in file.schema_arrow.names or not columns:
            raise UserError(f"{path}: needs the column sample_id, and mask or box.")
        table = file.read(columns=["sample_id", *columns])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise UserError(
            f"{path}: not a readable Parquet file ({error}); write it again."
        ) from error
    try:
        masks, boxes = (
            answers_in_order(samples, table, name) if name in columns else [None] * len(rows)
            for name in ("mask", "box")
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return (
        _read_row(path, row, mask, box) for row, mask, box in zip(rows, masks, boxes, strict=True)
    )


def _read_row(path: Path, row: Row, mask: Any, box: Any) -> Answer:
    sample_id, height, width = row["sample_id"], row["height"], row["width"]
    try:
        return (
            None if mask is None else read_mask(sample_id, "predicted", mask, height, width),
            None if box is None else read_box(sample_id, "predicted", box),
        )
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _check_size(path: Path, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise UserError(
            f"{path}: has {size:,} bytes, more than the {MAX_FILE_BYTES:,} that are read; give "
            "masks as run lengths, or in a folder of PNG files."
        )
