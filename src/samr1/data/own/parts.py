"""Which part each question is of: by the data's own split, or a seeded share of the images.

An image never stands in two parts, nor do two files of the same pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from samr1.config.own_data import Part
from samr1.core.errors import UserError
from samr1.data.own.folders import of_neither
from samr1.data.own.questions import Question, Source


def divide(questions: Sequence[Question], source: Source) -> list[tuple[Question, Part]]:
    """The questions with their parts, in their order, but for those of other splits.

    Raises UserError where no question is of a part, or an image is in both and bad samples stop.
    """
    if any(question.split is not None for question in questions):
        return _by_split(questions, source)
    return _by_share(questions, source)


def same_pixels(digests: Mapping[str, str], images: set[str]) -> list[list[str]]:
    """The files among `images` that hold the same pixels, by groups of two or more, sorted."""
    groups: dict[str, list[str]] = {}
    for image in sorted(images):
        groups.setdefault(digests[image], []).append(image)
    return [group for group in groups.values() if len(group) > 1]


def _by_split(questions: Sequence[Question], source: Source) -> list[tuple[Question, Part]]:
    stage = source.stage
    parts: dict[str | None, Part] = {stage.train_split: "train", stage.test_split: "test"}
    tested = {
        source.digests[question.image]: question.place
        for question in questions
        if question.split == stage.test_split
    }
    kept: list[tuple[Question, Part]] = []
    for question in questions:
        part = parts.get(question.split)
        if part is None:
            source.left_out[of_neither(question.split)] += 1
        elif part == "train" and (place := tested.get(source.digests[question.image])):
            source.bad.add(
                UserError(
                    f"{question.place}: its image is in the test part too, {place}; keep an image, "
                    "under any name, in one of them."
                )
            )
        else:
            kept.append((question, part))
    if not kept:
        has = ", ".join(sorted({repr(question.split) for question in questions}))
        raise UserError(
            f"{source.root}: the data's splits are {has}; name two of them by `train_split` and "
            "`test_split`."
        )
    return kept


def _by_share(questions: Sequence[Question], source: Source) -> list[tuple[Question, Part]]:
    """By the images' pixels: neither a file's name nor the order of rows changes its part."""
    stage = source.stage
    digests = {source.digests[question.image] for question in questions}
    if len(digests) < 2:
        raise UserError(f"{source.root}: has one image, and the two parts need one each; add some.")
    ordered = sorted(digests, key=lambda digest: _hash(stage.seed, digest))
    share = min(max(round(stage.test_share * len(ordered)), 1), len(ordered) - 1)
    tested = frozenset(ordered[:share])
    return [
        (question, "test" if source.digests[question.image] in tested else "train")
        for question in questions
    ]


def _hash(seed: int, digest: str) -> bytes:
    return hashlib.sha256(f"{seed}/part/{digest}".encode()).digest()
