"""The layout `labelme`: a JSON beside each image, as labelme writes it.

With a `text`, one or several, as ReasonSeg has them, each is a question and all of the shapes are
the target. Without, or where it is empty, a question is asked of each label, and its target is the
union of its shapes.
Polygons, rectangles, circles and masks are drawn as what they are; labels that contain "ignore"
mark ignored pixels, and shapes labelled "flag" beside a `text` none, as in ReasonSeg.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from samr1.core.errors import UserError
from samr1.core.reading import load_json
from samr1.core.tree import list_files
from samr1.data.frames import told_size
from samr1.data.image_files import Size
from samr1.data.own.folders import find_splits
from samr1.data.own.questions import Question, Source, Truth, below, mask_truth
from samr1.data.samples import check_query
from samr1.data.shapes import SIZE_KEYS, Shape, rasterise_shapes

_MOST_BYTES = 40_000_000  # labelme writes the image into it; as text it takes ten times as much
_MOST_IGNORED = 100_000  # shapes, which are drawn for each label: that takes seconds
_REMEDY = "save it again, without the image in it where it is large (labelme --nodata)"


@dataclass(frozen=True)
class _File:
    """One JSON: where it lies, its image, and what is marked and asked."""

    place: str
    stem: str  # its path below the root, without the suffix
    split: str | None
    image: str
    size: Size
    shapes: list[Shape]
    texts: Any  # None where the labels are asked of

    def question(self, end: str, query: str, truth: Truth, index: int = 0) -> Question:
        """A question of this file, whose id ends so."""
        name = f"{self.stem}/{end}"
        return Question(self.place, name, self.image, self.size, query, truth, index, self.split)

    def draw(self, shapes: list[Shape]) -> Truth:
        """The truth that shapes are; raises UserError where they leave no pixel of the target."""
        return mask_truth(*rasterise_shapes(shapes, self.size[1], self.size[0]))


def read(source: Source) -> Iterator[Question]:
    """The questions of all JSON files below the root; raises UserError where there is none."""
    for file in _open_files(source):
        if file.texts is None:
            yield from _ask_labels(source, file)
        else:
            yield from _ask_texts(source, file)


def _open_files(source: Source) -> Iterator[_File]:
    files = list_files(source.root, [".json"])
    if not files:
        raise UserError(f"{source.root}: no JSON of labelme below it; correct `root`.")
    splits = find_splits(source.root, source.stage)
    for file in files:
        path = PurePosixPath(file)
        place = str(source.root / file)
        with source.bad.catching(place):
            content = load_json(source.root / file, _MOST_BYTES, _REMEDY)
            shapes = _check_shapes(content)
            image = below(source.root, str(path.parent), content.get("imagePath"), "imagePath")
            size = source.size(image, told_size(content, SIZE_KEYS, "its", "save it again"))
            stem, split = str(path.with_suffix("")), path.parts[0] if splits else None
            texts = content.get("text")
            texts = None if isinstance(texts, str) and not texts.strip() else texts
            yield _File(place, stem, split, image, size, shapes, texts)


def _check_shapes(content: Any) -> list[Shape]:
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise UserError("no file of labelme: it has no list of `shapes`; move it away.")
    if not all(isinstance(shape.get("label"), str) for shape in shapes):
        raise UserError("a shape has no label; give it one.")
    return shapes


def _ask_texts(source: Source, file: _File) -> Iterator[Question]:
    with source.bad.catching(file.place):
        truth = file.draw(file.shapes)
        told = file.texts if isinstance(file.texts, list) and file.texts else [file.texts]
        for index, text in enumerate(told):
            query = check_query(text, f"text[{index}]")
            yield file.question(str(index), query, truth, index)


def _ask_labels(source: Source, file: _File) -> Iterator[Question]:
    by_label: dict[str, list[Shape]] = {}
    ignored = []
    for shape in file.shapes:
        if "ignore" in shape["label"].lower():
            ignored.append(shape)
        else:  # by another label it would be drawn as what its own says in ReasonSeg
            by_label.setdefault(shape["label"], []).append({**shape, "label": "target"})
    if not by_label:
        source.left_out["files of labelme without a labelled shape"] += 1
    for label, shapes in by_label.items():
        if source.stage.instances == "single" and _count_instances(shapes) > 1:
            source.left_out["labels of an image with several instances"] += 1
            continue
        with source.bad.catching(f"{file.place}, label {label[:40]!r}"):
            if len(by_label) * len(ignored) > _MOST_IGNORED:
                raise UserError(
                    f"beside {len(by_label)} labels {len(ignored)} ignored shapes are "
                    "too many; unite them."
                )
            name = check_query(label, "its label")
            query = check_query(source.stage.question.replace("{category}", name), "its question")
            yield file.question(label, query, file.draw([*shapes, *ignored]))


def _count_instances(shapes: list[Shape]) -> int:
    """Shapes of one group are one instance."""
    groups = [shape.get("group_id") for shape in shapes]
    return groups.count(None) + len({str(group) for group in groups if group is not None})
