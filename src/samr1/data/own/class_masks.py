"""The layout `masks`: a PNG of class indices for each image, under the image's name.

Where the names differ in their ends, `images` and `masks` say them: `gtFine/*_labelIds.png`. A
question is asked of each class that has a name and a pixel in the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from samr1.core.errors import UserError
from samr1.core.reading import read_bytes
from samr1.core.tree import list_files
from samr1.data.image_files import MAX_BYTES, SUFFIXES, UNREAD, picture_size
from samr1.data.images import Indices, load_indices
from samr1.data.masks import Mask
from samr1.data.own.folders import find_splits
from samr1.data.own.questions import Question, Source, Truth, mask_truth
from samr1.data.samples import check_query

_AT_ONCE = 1_000_000  # pixels: each takes eight bytes or more while it is counted or compared


def read(source: Source) -> Iterator[Question]:
    """The questions of all masks; raises UserError where there is none."""
    below, end = _split_end(str(source.stage.masks))
    folder = source.root / below
    files = [file for file in list_files(folder, [".png"]) if file.endswith(end)]
    if not files:
        told = f" whose name ends in {end}" if end else ""
        raise UserError(
            f"{folder}: no PNG of class indices{told} here; correct `root` or `masks`, and save "
            "masks of another kind as PNG."
        )
    images = _find_images(source, {str(PurePosixPath(below) / file) for file in files})
    splits = find_splits(folder, source.stage)
    for file in files:
        place = str(folder / file)
        with source.bad.catching(place):
            stem = _stem(file, end)
            image = _find_image(images, stem)
            size = source.size(image, picture_size(folder / file))
            indices = load_indices(read_bytes(folder / file, MAX_BYTES), "its picture", *size)
            split = PurePosixPath(file).parts[0] if splits else None
            for index, query, truth in _ask(source, indices):
                yield Question(place, f"{stem}/{index}", image, size, query, truth, split=split)
    if unmasked := images.keys() - {_stem(file, end) for file in files}:
        source.left_out["images without a mask"] += len(unmasked)


def _split_end(told: str) -> tuple[str, str]:
    """A folder, and how the names of its files end: behind a `*`, or anyhow.

    >>> _split_end("gtFine/*_labelIds.png")
    ('gtFine/', '_labelIds.png')
    """
    folder, _, end = told.partition("*")
    return folder or ".", end


def _stem(file: str, end: str) -> str:
    """A path without its end, or else its suffix."""
    return file.removesuffix(end) if end else str(PurePosixPath(file).with_suffix(""))


def _find_images(source: Source, masks: set[str]) -> dict[str, list[str]]:
    """The images below the root by their path in their folder without its end; no masks."""
    folder, end = _split_end(source.stage.images or ".")
    images: dict[str, list[str]] = {}
    files = list_files(source.root / folder, (*SUFFIXES, *UNREAD))
    for file in sorted(files, key=_is_unread):  # one of these is named where it has no twin
        path, stem = str(PurePosixPath(folder) / file), _stem(file, end)
        is_twin = _is_unread(file) and stem in images
        if file.endswith(end) and path not in masks and not is_twin:
            images.setdefault(stem, []).append(path)
    return images


def _is_unread(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in UNREAD


def _find_image(images: dict[str, list[str]], stem: str) -> str:
    found = images.get(stem, [])
    if len(found) != 1:
        told = "there is no image" if not found else f"there are {len(found)} images"
        raise UserError(
            f"{told} of its name; give each mask the name of one image, or say how the names end, "
            "as `images: img/*.jpg` and `masks: gt/*_mask.png` do."
        )
    return found[0]


def _parts(indices: Indices) -> list[Indices]:
    return np.array_split(indices.reshape(-1), indices.size // _AT_ONCE + 1)


def _find_indices(indices: Indices) -> set[int]:
    counts = map(np.bincount, _parts(indices))
    return {index for count in counts for index in np.flatnonzero(count).tolist()}


def _are_any(indices: Indices, chosen: list[int]) -> Mask:
    parts = [np.isin(part, chosen) for part in _parts(indices)]
    return np.concatenate(parts).reshape(indices.shape)


def _ask(source: Source, indices: Indices) -> Iterator[tuple[int, str, Truth]]:
    """Question and truth of each name that has a pixel, and the least of its indices."""
    names, ignore_index = source.stage.category_names, source.stage.ignore_index
    there = _find_indices(indices)
    for index in sorted(there - {0, ignore_index} - names.keys()):
        source.left_out[f"masks with the class index {index}, which has no name"] += 1
    if not there & names.keys():
        source.left_out["masks without a pixel of a named class"] += 1
    ignore = None if ignore_index is None else indices == ignore_index
    for name in dict.fromkeys(names[index] for index in sorted(there & names.keys())):
        of_name = sorted(index for index in names if names[index] == name)
        query = source.stage.question.replace("{category}", name)
        query = check_query(query, f"the question of class {of_name[0]}")
        yield of_name[0], query, mask_truth(_are_any(indices, of_name), ignore)
