"""The layout `coco`: a JSON with images, annotations and categories, and a folder of images.

With `questions: template` a question is asked of each category in an image, and its target is the
union of its instances; categories of one name are one. Crowds, which are not told apart, are
ignored pixels. With `captions` it is an annotation's own `caption`, a text or several, and its own
shape is the target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from samr1.core.errors import UserError, prefix_errors
from samr1.core.json_lists import JsonLists
from samr1.data.coco_file import Places, find_entries
from samr1.data.frames import told_size
from samr1.data.image_files import Size
from samr1.data.masks import Mask, segmentation_to_mask
from samr1.data.own.folders import REMEDY, find_files
from samr1.data.own.questions import Question, Source, Truth, below, mask_truth
from samr1.data.samples import check_query

_MOST_BYTES = 1_000_000_000  # COCO's own training set has half of it
_MOST_ENTRIES = 1_200_000  # it has 980,000

_CROWD = "(iscrowd: 1, as CVAT writes it of each brushed mask; of one object make it 0)"

Annotation = dict[str, Any]


@dataclass(frozen=True)
class _File:
    """One COCO file: its lists by id, the folder of its images, and the split that its own is."""

    path: Path
    content: JsonLists
    images: Places
    annotations: Places
    categories: Places
    folder: str  # below the root
    split: str | None

    def question(
        self, place: str, number: str, image: str, size: Size, query: str, truth: Truth, index: int
    ) -> Question:
        """A question of this file, `number` its id there."""
        name = number if self.split is None else f"{self.split}/{number}"
        return Question(place, name, image, size, query, truth, index, self.split)


def read(source: Source) -> Iterator[Question]:
    """The questions of the COCO file; raises UserError where it is none."""
    for name, split in find_files(source):
        path = source.root / name
        content = JsonLists(path, _MOST_BYTES, REMEDY, _MOST_ENTRIES)
        images, annotations, categories = find_entries(
            content, path, "images", "annotations", "categories"
        )
        folder = source.stage.images or str(PurePosixPath(name).parent)
        file = _File(path, content, images, annotations, categories, folder, split)
        if source.stage.questions == "captions":
            yield from _ask_captions(source, file)
        else:
            yield from _ask_categories(source, file)


def _ask_captions(source: Source, file: _File) -> Iterator[Question]:
    for number, at in file.annotations.items():
        place = f"{file.path}, annotation {number}"
        with source.bad.catching(place):
            annotation = file.content.read(at)
            captions = annotation.get("caption")
            captions = captions if isinstance(captions, list) and captions else [captions]
            image, size = _find_image(source, file, annotation.get("image_id"))
            truth = mask_truth(_draw(annotation, size))
            for index, caption in enumerate(captions):
                query = check_query(caption, f"its caption {index}")
                name = f"{number}/{index}"
                yield file.question(place, name, image, size, query, truth, index)


def _ask_categories(source: Source, file: _File) -> Iterator[Question]:
    for (image_id, category_id), numbers in _group(source, file).items():
        place = f"{file.path}, image {image_id}, category {category_id}"
        found = [file.content.read(file.annotations[number]) for number in numbers]
        instances = [one for one in found if not one.get("iscrowd")]
        if not instances:
            source.left_out[f"categories of an image that are a crowd alone {_CROWD}"] += 1
        elif source.stage.instances == "single" and len(found) > 1:
            source.left_out["categories of an image with several instances"] += 1
        else:
            with source.bad.catching(place):
                query = _ask(source.stage.question, file, category_id)
                image, size = _find_image(source, file, image_id)
                crowds = [one for one in found if one.get("iscrowd")]
                truth = _unite(instances, crowds, size)
                if crowds:
                    source.left_out[f"crowds, whose pixels are ignored {_CROWD}"] += len(crowds)
                name = f"{image_id}/{category_id}"
                yield file.question(place, name, image, size, query, truth, 0)


def _group(source: Source, file: _File) -> dict[tuple[int, int], list[int]]:
    """The annotations' ids by image and category, the first of its name, in the file's order."""
    first = _find_first(file)
    groups: dict[tuple[int, int], list[int]] = {}
    for number, at in file.annotations.items():
        annotation = file.content.read(at)
        image_id, category_id = annotation.get("image_id"), annotation.get("category_id")
        with source.bad.catching(f"{file.path}, annotation {number}"):
            if type(image_id) is not int or type(category_id) is not int:
                raise UserError("its image_id or category_id is no whole number; correct it.")
            if annotation.get("iscrowd") not in (None, 0, 1):
                raise UserError("its iscrowd is neither 0 nor 1; correct it.")
            of_name = first.get(category_id, category_id)
            groups.setdefault((image_id, of_name), []).append(number)
    return groups


def _find_first(file: _File) -> dict[int, int]:
    """Of each category the first that has its name, by their ids."""
    by_name: dict[str, int] = {}
    names = {number: file.content.read(at).get("name") for number, at in file.categories.items()}
    return {
        number: by_name.setdefault(name.strip(), number)
        for number, name in names.items()
        if isinstance(name, str)
    }


def _ask(template: str, file: _File, category_id: int) -> str:
    if category_id not in file.categories:
        raise UserError("the file has no such category; correct the annotation or add it.")
    category = file.content.read(file.categories[category_id])
    name = check_query(category.get("name"), "its category's name")
    return check_query(template.replace("{category}", name), "its question")


def _find_image(source: Source, file: _File, image_id: object) -> tuple[str, Size]:
    """The path of an image below the root, and its size."""
    at = file.images.get(image_id) if type(image_id) is int else None
    if at is None:
        raise UserError(f"its image {image_id!r} is not in the file; correct it or add the image.")
    entry = file.content.read(at)
    image = below(source.root, file.folder, entry.get("file_name"), "image's file_name")
    told = told_size(entry, ("width", "height"), "its image's", "correct it")
    return image, source.size(image, told)


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
        if annotation.get("segmentation") in (None, []):
            raise UserError(
                "it has no segmentation; export polygons or masks, or write boxes alone into a "
                "table (`layout: table` with `target: box`)."
            )
        mask = segmentation_to_mask(annotation.get("segmentation"), size[1], size[0], inside=True)
        if not mask.any():
            raise UserError("its segmentation covers no pixel; draw it again.")
    return mask
