"""Predictions that other code wrote, checked and brought into one form.

Three forms are read: a folder of PNG masks, a COCO-results JSON, a predictions Parquet. Every
question must be answered once and nothing else. Files are not trusted: sizes are looked at before
anything is decoded, and nothing in them can run code.

A question is named by its `sample_id`; where no two questions share it, by its `image_id` or by the
last part of its `sample_id` too (ReasonSeg's NAME).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.core.json_lists import JsonLists, Place
from samr1.core.reading import check_file, read_bytes, read_columns
from samr1.core.tree import list_files
from samr1.data.image_files import MAX_BYTES
from samr1.data.images import load_mask
from samr1.data.masks import (
    Mask,
    are_coordinates,
    encode_mask,
    mask_box,
    segmentation_to_mask,
)
from samr1.evaluation.answers import answers_in_order, are_fractions, read_box, read_mask

_MOST_BYTES = 160_000_000  # of a JSON file

_FORMS = "give a folder of PNG masks, a .json of one list as COCO's results are, or a .parquet"

Row = dict[str, Any]
Answer = tuple[Mask | None, list[float] | None]  # mask [h, w] and box (xyxy), original pixels


def import_predictions(path: Path, samples: pa.Table, needed: str) -> pa.Table:
    """The predictions at `path` as rows of `schemas.PREDICTIONS`, in the order of `samples`.

    `needed` is what the benchmark is scored by, "mask" or "box". Where a file gives masks alone, a
    box is its mask's extent. An answer that gives neither has the status `no_answer`. Raises
    UserError naming the file and the question that is wrong, and where nothing has what is needed.
    """
    rows = samples.select(["sample_id", "image_id", "width", "height"]).to_pylist()
    if os.path.isdir(path):
        answers = _read_folder(path, rows)
    elif path.suffix.lower() == ".json":
        answers = _read_json(path, rows)
    elif path.suffix.lower() == ".parquet":
        answers = _read_parquet(path, samples, rows)
    else:
        check_file(path, 1 << 50, _FORMS)
        raise UserError(f"{path}: is none of the forms that are read; {_FORMS}.")
    found, boxes = [], list[list[float]]()
    pairs = zip(rows, answers, strict=True)
    for row, (mask, box) in tqdm(pairs, "import", len(rows), unit="sample", disable=None):
        found.append(_prediction(row["sample_id"], mask, box))
        boxes += [] if box is None else [box]
    if all(one[needed] is None for one in found):
        raise UserError(f"{path}: gives no {needed}, and this benchmark is scored by it.")
    if are_fractions(boxes):
        raise UserError(f"{path}: its boxes lie between 0 and 1; give them in pixels.")
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
    """The masks SAMPLE_ID.png below a folder; hidden files and folders are left out."""
    names, files = _known_names(rows), dict[str, Path]()
    for where in list_files(path, [".png"]):
        _file_under(path, files, names, where[: -len(".png")], where, path / where)
    _check_complete(path, files, rows)
    return ((_read_png(files[row["sample_id"]], row), None) for row in rows)


def _read_png(file: Path, row: Row) -> Mask:
    data = read_bytes(file, MAX_BYTES, "write the mask again")
    return load_mask(data, str(file), row["width"], row["height"])


def _read_json(path: Path, rows: list[Row]) -> Iterator[Answer]:
    """A list of {"sample_id" or "image_id", "segmentation" and/or "bbox"}, as COCO's results."""
    file = JsonLists(path, _MOST_BYTES, "write it again, with masks as run lengths")
    names, found = _known_names(rows), dict[str, Place]()
    for number, (_, place, entry) in enumerate(file, start=1):
        name = entry.get("sample_id", entry.get("image_id")) if isinstance(entry, dict) else None
        if type(name) not in (str, int):
            raise UserError(f"{path}: result {number} has no sample_id and no image_id.")
        if not {"segmentation", "bbox"} & entry.keys():
            raise UserError(
                f"{path}: result {number} has neither `segmentation` nor `bbox`; where there is no "
                "answer, write null."
            )
        _file_under(path, found, names, str(name), f"result {number}", place)
    if None not in file.keys:
        raise UserError(f"{path}: must be a list of results, as COCO's are.")
    _check_complete(path, found, rows)
    return (_read_result(path, file.read(found[row["sample_id"]]), row) for row in rows)


def _read_result(path: Path, entry: Row, row: Row) -> Answer:
    segmentation, bbox = entry.get("segmentation"), entry.get("bbox")
    width, height = row["width"], row["height"]
    mask = None
    with prefix_errors(f"{path}: {row['sample_id']!r}"):
        if segmentation == []:
            mask = np.zeros((height, width), bool)
        elif segmentation is not None:
            mask = segmentation_to_mask(segmentation, height, width, inside=True)
        if bbox is None:
            return mask, None
        if not are_coordinates(bbox) or len(bbox) != 4 or min(bbox[2:]) < 0:
            raise UserError(f"its bbox {str(bbox)[:80]} is not [x, y, width, height].")
    x, y, box_width, box_height = bbox
    return mask, [x, y, x + box_width, y + box_height]


def _read_parquet(path: Path, samples: pa.Table, rows: list[Row]) -> Iterator[Answer]:
    """A table with `sample_id` and `mask` (COCO RLE) and/or `box` (xyxy); null is no answer."""
    table = read_columns(path, ("sample_id", "mask", "box"), "write it again")
    columns = [name for name in ("mask", "box") if name in table.column_names]
    if "sample_id" not in table.column_names or not columns:
        raise UserError(f"{path}: needs the column sample_id, and mask or box.")
    with prefix_errors(str(path)):
        answers = answers_in_order(samples, table, columns, ("mask", "box"))
    return (_read_row(path, *both) for both in zip(rows, answers, strict=True))


def _read_row(path: Path, row: Row, answer: Row) -> Answer:
    sample_id, height, width = row["sample_id"], row["height"], row["width"]
    mask, box = answer["mask"], answer["box"]
    with prefix_errors(str(path)):
        if box is not None:
            box = read_box(sample_id, "predicted", box)
        if mask is not None:
            mask = read_mask(sample_id, "predicted", mask, height, width)
    return mask, box
