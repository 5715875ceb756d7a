"""The layout `table`: a row a question, in CSV, JSON lines or Parquet.

Columns: `image` and `question` (or `text`); one of `mask`, the path of a picture that is black off
the object, or a list of them, and `segmentation`, COCO's polygons or run lengths (in CSV lists are
JSON); where the data set's target is `box`, `box` (xyxy) instead. Where they are there also `id`,
`split`, and beside masks `ignore`, a path or a segmentation of pixels that are neither. Of several
objects in one question the union is the target. Columns of files may be called as the `metadata`
of a Hugging Face image folder calls them: `file_name`, `mask_file_name`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from samr1.core.errors import UserError, prefix_errors
from samr1.core.reading import check_file, is_text, parse_json, read_bytes
from samr1.data.image_files import MAX_BYTES, Size, picture_size
from samr1.data.images import load_mask
from samr1.data.masks import Mask, are_coordinates, segmentation_to_mask
from samr1.data.own.folders import find_files
from samr1.data.own.questions import Question, Source, Truth, below, check_shows, mask_truth
from samr1.data.own.rows import Row, read_rows
from samr1.data.samples import check_query

# Each column with what else it may be called.
_NAMES = {
    "image": ("image", "file_name", "image_file_name"),
    "question": ("question", "text"),
    "mask": ("mask", "mask_file_name", "mask_file_names"),
    "segmentation": ("segmentation",),
    "box": ("box",),
    "ignore": ("ignore", "ignore_file_name"),
    "id": ("id",),
    "split": ("split",),
}
_KNOWN = [name for names in _NAMES.values() for name in names]
_NEEDED = ("image", "question")
_TARGETS = {"mask": ("mask", "segmentation"), "box": ("box",)}
_OTHERS = {"mask": ("ignore", "id", "split"), "box": ("id", "split")}
_LONGEST = 200  # id or split
_LIST = re.compile(r'\[\s*["\]]')  # of names in JSON


def read(source: Source) -> Iterator[Question]:
    """The questions of the table; raises UserError where it cannot be read or lacks a column."""
    for file, split in find_files(source):
        path = source.root / file
        columns, rows = read_rows(path, _KNOWN, source.bad)
        names = _find_columns(source, str(path), columns)
        for place, row in rows:
            where = f"{path}, {place}"
            with source.bad.catching(where):
                cells = {key: _cell(row, name) for key, name in names.items()}
                number = place.split()[-1] if split is None else f"{split}/{place.split()[-1]}"
                yield _read_row(source, where, file, number, split, cells)


def _find_columns(source: Source, path: str, columns: list[str]) -> dict[str, str]:
    """The columns that are read, by what they are; raises UserError where one is missing."""
    has = ", ".join(map(repr, columns[:20]))
    targets = _TARGETS[source.stage.target]
    found = {}
    for key in (*_NEEDED, *targets, *_OTHERS[source.stage.target]):
        if there := [name for name in _NAMES[key] if name in columns]:
            found[key] = there[0]
    for key in _NEEDED:
        if key not in found:
            told = " or ".join(map(repr, _NAMES[key][:2]))
            raise UserError(f"{path}: has no column {told}; it has {has}.")
    if not found.keys() & targets:
        advice = "; with boxes alone write `target: box`" if "box" in columns else ""
        told = " or ".join(map(repr, targets))
        raise UserError(f"{path}: has no column {told}; it has {has}{advice}.")
    for name in columns:
        if name not in found.values():
            source.left_out[f"column {name!r} of the table, which is not read"] += 1
    return found


def _cell(row: Row, name: str) -> Any:
    """What stands in a cell, None where nothing does."""
    value = row.get(name)
    return None if isinstance(value, str) and not value.strip() else value


def _read_row(
    source: Source, where: str, file: str, number: str, split: str | None, cells: Row
) -> Question:
    stage = source.stage
    folder = str(PurePosixPath(file).parent)
    image = below(source.root, stage.images or folder, cells["image"], "image")
    if cells["question"] is None:
        raise UserError("it has no question; write one or leave the row out.")
    query = check_query(cells["question"], "its question")
    if stage.target == "box":
        size = source.size(image)
        truth = Truth(_read_box(cells.get("box"), *size), None)
    else:
        size, truth = _read_masks(source, image, stage.masks or folder, cells)
    return Question(
        place=where,
        id=_read_name(cells, "id") or number,
        image=image,
        size=size,
        query=query,
        truth=truth,
        split=_read_split(cells, split),
    )


def _read_name(cells: Row, key: str) -> str | None:
    """A short text or whole number; None where there is none."""
    value = cells.get(key)
    if value is None:
        return None
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if not is_text(text) or not text.isprintable() or not 0 < len(text) <= _LONGEST:
        raise UserError(f"its {key} is no short text; write 1 to {_LONGEST} characters.")
    return text


def _read_split(cells: Row, folder: str | None) -> str | None:
    if "split" not in cells:
        return folder
    split = _read_name(cells, "split")
    if split is None:
        raise UserError("it has no split, and the table has a column of them; fill it in.")
    return split


def _read_masks(source: Source, image: str, folder: str, cells: Row) -> tuple[Size, Truth]:
    mask, segmentation = cells.get("mask"), cells.get("segmentation")
    if (mask is None) == (segmentation is None):
        told = "neither a mask nor" if mask is None else "both a mask and"
        raise UserError(f"it has {told} a segmentation; give it one of them.")
    if mask is not None:
        paths = [_find_mask(source, folder, name) for name in _list_masks(mask)]
        size = source.size(image, picture_size(paths[0]))
        target = _unite(paths, size)
    else:
        segmentation = _parse(segmentation, "segmentation")
        size = source.size(image, _size_of_runs(segmentation))
        target = segmentation_to_mask(segmentation, size[1], size[0], inside=True)
    ignore = None if cells.get("ignore") is None else _read_ignore(source, folder, cells, size)
    return size, mask_truth(target if ignore is None else target & ~ignore, ignore)


def _read_ignore(source: Source, folder: str, cells: Row, size: Size) -> Mask:
    value = cells["ignore"]
    if isinstance(value, str) and value.strip()[0] not in "[{":
        return _load_mask(_find_mask(source, folder, value), size)
    with prefix_errors("its ignored pixels"):
        return segmentation_to_mask(_parse(value, "ignore"), size[1], size[0], inside=True)


def _list_masks(value: Any) -> list[Any]:
    """The names of a row's masks: a list of them, in CSV as JSON, or one."""
    if isinstance(value, str) and _LIST.match(value.strip()):
        value = _parse(value, "mask", 'as in ["a.png", "b.png"]')
    if value == []:
        raise UserError("its list of masks is empty; name one.")
    return value if isinstance(value, list) else [value]


def _unite(paths: list[Path], size: Size) -> Mask:
    target = np.zeros(size[::-1], bool)
    for path in paths:
        mask = _load_mask(path, size)
        with prefix_errors(str(path)):
            check_shows(mask)
        target |= mask
    return target


def _load_mask(path: Path, size: Size) -> Mask:
    return load_mask(read_bytes(path, MAX_BYTES), str(path), *size)


def _find_mask(source: Source, folder: str, name: object) -> Path:
    path = source.root / below(source.root, folder, name, "mask")
    check_file(path, MAX_BYTES, "put the mask there, or correct its name, `root` or `masks`")
    return path


def _parse(value: Any, what: str, form: str = "as COCO does") -> Any:
    """What JSON a cell holds; a table of lists and structures holds it as it is."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value)
    except (ValueError, RecursionError) as error:
        raise UserError(f"its {what} is no JSON ({error}); write it {form}.") from error


def _size_of_runs(segmentation: Any) -> Size | None:
    """The size that run lengths are of; polygons tell none."""
    size = segmentation.get("size") if isinstance(segmentation, dict) else None
    return (size[1], size[0]) if isinstance(size, list) and len(size) == 2 else None


def _read_box(value: Any, width: int, height: int) -> list[float]:
    """A box, xyxy; raises UserError where it is none in an image of `width`×`height`."""
    if value is None:
        raise UserError("it has no box; write x1, y1, x2, y2.")
    if isinstance(value, str):
        value = value if value.strip().startswith("[") else f"[{value}]"
        value = _parse(value, "box", "as x1, y1, x2, y2")
    if not are_coordinates(value) or len(value) != 4:
        raise UserError("its box is not four numbers; write x1, y1, x2, y2.")
    x1, y1, x2, y2 = map(float, value)
    if max(value) <= 1:
        raise UserError("its box lies between 0 and 1; give it in pixels of the image.")
    if x2 <= x1 or y2 <= y1:
        raise UserError(
            f"its box {value} has no area as x1, y1, x2, y2; it may be x, y, width, height."
        )
    if min(x1, y1) < -1 or x2 > width + 1 or y2 > height + 1:
        raise UserError(
            f"its box {value} reaches beyond the image's {width}×{height}; write x1, y1, x2, y2 in "
            "pixels of the image."
        )
    return [max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))]
