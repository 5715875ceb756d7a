"""The layout `masks`: a PNG of class indices for each image, under the image's name.

A question is asked of each class that has a name and a pixel in the image.
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
    folder = source.root / str(source.stage.masks)
    files = list_files(folder, [".png"])
    if not files:
        raise UserError(f"{folder}: no PNG of class indices here; correct `root` or `masks`.")
    images = _find_images(source, files)
    splits = find_splits(folder, source.stage)
    for file in files:
        place = str(folder / file)
        with source.bad.catching(place):
            image = _find_image(images, file)
            size = source.size(image, picture_size(folder / file))
            indices = load_indices(read_bytes(folder / file, MAX_BYTES), "its picture", *size)
            split = PurePosixPath(file).parts[0] if splits else None
            for index, query, truth in _ask(source, indices):
                name = f"{_stem(file)}/{index}"
                yield Question(place, name, image, size, query, truth, split=split)
    if unmasked := images.keys() - {_stem(file) for file in files}:
        source.left_out["images without a mask"] += len(unmasked)


def _stem(file: str) -> str:
    """A path without its suffix."""
    return str(PurePosixPath(file).with_suffix(""))


def _find_images(source: Source, masks: list[str]) -> dict[str, list[str]]:
    """The images below the root by their path in their folder without its suffix; no masks."""
    stage = source.stage
    folder = PurePosixPath(stage.images or ".")
    own = {str(PurePosixPath(str(stage.masks)) / mask) for mask in masks}
    images: dict[str, list[str]] = {}
    files = list_files(source.root / folder, (*SUFFIXES, *UNREAD))
    for file in sorted(files, key=_is_unread):  # one of these is named where it has no twin
        path = str(folder / file)
        if path not in own and not (_is_unread(file) and _stem(file) in images):
            images.setdefault(_stem(file), []).append(path)
    return images


def _is_unread(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in UNREAD


def _find_image(images: dict[str, list[str]], mask: str) -> str:
    found = images.get(_stem(mask), [])
    if len(found) != 1:
        told = "there is no image" if not found else f"there are {len(found)} images"
        raise UserError(f"{told} of its name; give each mask the name of one image.")
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
