"""The layout `coco`: a JSON with images, annotations and categories, and a folder of images.

With `questions: template` a question is asked of each category in an image, and its target is the
union of the category's instances; crowds, which are not told apart, are ignored pixels. With
`captions` it is an annotation's own `caption`, a text or several, and its own shape is the target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from samr1.core.errors import UserError, prefix_errors
from samr1.data.coco_file import Entries, load_coco
from samr1.data.masks import Mask, segmentation_to_mask
from samr1.data.own.questions import Question, Size, Source, Truth, below, find_files, mask_truth
from samr1.data.samples import check_query

_REMEDY = "correct `root` or `file` of the data set"

Annotation = dict[str, Any]


@dataclass(frozen=True)
class _File:
    """One COCO file: where it lies, the split that its folder is, and its images by id."""

    path: Path
    folder: str  # of the images, below the root
    split: str | None
    images: Entries


def read(source: Source) -> Iterator[Question]:
    """The questions of the COCO file; raises UserError where it is none."""
    for name, split in find_files(source.stage, _REMEDY):
        path = source.root / name
        lists = load_coco(path, _REMEDY, "images", "annotations", "categories")
        images, annotations, categories = lists
        folder = source.stage.images or str(PurePosixPath(name).parent)
        file = _File(path, folder, split, images)
        if source.stage.questions == "captions":
            yield from _ask_captions(source, file, annotations)
        else:
            yield from _ask_categories(source, file, annotations, categories)


def _ask_captions(source: Source, file: _File, annotations: Entries) -> Iterator[Question]:
    for number, annotation in annotations.items():
        place = f"{file.path}, annotation {number}"
        with source.bad.catching(place):
            captions = annotation.get("caption")
            captions = captions if isinstance(captions, list) and captions else [captions]
            image, size = _find_image(source, file, annotation.get("image_id"))
            truth = mask_truth(_draw(annotation, size))
            for index, caption in enumerate(captions):
                query = check_query(caption, f"its caption {index}")
                name = _name(file, f"{number}/{index}")
                yield Question(place, name, image, size, query, truth, index, file.split)


def _ask_categories(
    source: Source, file: _File, annotations: Entries, categories: Entries
) -> Iterator[Question]:
    for (image_id, category_id), found in _group(source, file, annotations).items():
        place = f"{file.path}, image {image_id}, category {category_id}"
        instances = [one for one in found if not one.get("iscrowd")]
        if not instances:
            source.left_out["categories of an image that are a crowd alone"] += 1
        elif source.stage.instances == "single" and len(found) > 1:
            source.left_out["categories of an image with several instances"] += 1
        else:
            with source.bad.catching(place):
                query = _ask(source.stage.question, categories, category_id)
                image, size = _find_image(source, file, image_id)
                truth = _unite(instances, [one for one in found if one.get("iscrowd")], size)
                name = _name(file, f"{image_id}/{category_id}")
                yield Question(place, name, image, size, query, truth, split=file.split)


def _group(
    source: Source, file: _File, annotations: Entries
) -> dict[tuple[int, int], list[Annotation]]:
    """The annotations by image and category, in the file's order."""
    groups: dict[tuple[int, int], list[Annotation]] = {}
    for number, annotation in annotations.items():
        image_id, category_id = annotation.get("image_id"), annotation.get("category_id")
        with source.bad.catching(f"{file.path}, annotation {number}"):
            if type(image_id) is not int or type(category_id) is not int:
                raise UserError("its image_id or category_id is no whole number; correct it.")
            groups.setdefault((image_id, category_id), []).append(annotation)
    return groups


def _ask(template: str, categories: Entries, category_id: int) -> str:
    if category_id not in categories:
        raise UserError("the file has no such category; correct the annotation or add it.")
    name = check_query(categories[category_id].get("name"), "its category's name")
    return check_query(template.replace("{category}", name), "its question")


def _find_image(source: Source, file: _File, image_id: object) -> tuple[str, Size]:
    """The path of an image below the root, and its size."""
    entry = file.images.get(image_id) if type(image_id) is int else None
    if entry is None:
        raise UserError(f"its image {image_id!r} is not in the file; correct it or add the image.")
    image = below(file.folder, entry.get("file_name"), "image's file_name")
    told = entry.get("width"), entry.get("height")
    if told != (None, None) and not all(type(side) is int for side in told):
        raise UserError("its image's width or height is no whole number; correct it.")
    return image, source.size(image, None if told == (None, None) else told)  # type: ignore[arg-type]


def _unite(instances: list[Annotation], crowds: list[Annotation], size: Size) -> Truth:
    target = np.zeros(size[::-1], bool)
    for one in instances:
        target |= _draw(one, size)
    ignore = np.zeros_like(target)
    for one in crowds:
        ignore |= _draw(one, size)
    return mask_truth(target, ignore & ~target)


def _draw(annotation: Annotation, size: Size) -> Mask:
    with prefix_errors(f"annotation {annotation['id']}"):
        mask = segmentation_to_mask(annotation.get("segmentation"), size[1], size[0], inside=True)
        if not mask.any():
            raise UserError("its segmentation covers no pixel; draw it again.")
    return mask


def _name(file: _File, number: str) -> str:
    return number if file.split is None else f"{file.split}/{number}"
