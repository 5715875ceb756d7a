"""The layouts of the public data sets, for files of one's own that lie like theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from samr1.core.errors import UserError
from samr1.core.tree import list_files
from samr1.data import reasonseg, refer
from samr1.data.own.folders import list_folders, of_neither
from samr1.data.own.questions import Question, Source, Truth

_REFS = re.compile(r"([^/]+)/refs\(([^/]+)\)\.p")


def read_reasonseg(source: Source) -> Iterator[Question]:
    """The questions of `ReasonSeg/<split>` of both parts, each an image's first text."""
    for split in _parts(source):
        for row in reasonseg.read_rows(source.root, split, source.bad, "reasonseg"):
            with source.bad.catching(row["sample_id"]):
                yield _to_question(source, row, "reasonseg/")
    folder = source.root / "ReasonSeg"
    images = {one: len(list_files(folder / one, [".jpg"])) for one in list_folders(folder)}
    _leave_out(source, images)


def read_refer(source: Source) -> Iterator[Question]:
    """The questions of `NAME/refs(WHO).p` of both parts, each a sentence."""
    named = _REFS.fullmatch(str(source.stage.file))
    if named is None:
        raise UserError(f"file = {source.stage.file}: must be NAME/refs(WHO).p with layout refer.")
    name, who = named.groups()
    for split in _parts(source):
        for row in refer.read_rows(source.root, name, who, split, "all", source.bad):
            with source.bad.catching(row["sample_id"]):
                yield _to_question(source, row, f"{name}/{who}/")
    _leave_out(source, refer.count_sentences(source.root / str(source.stage.file)))


def _parts(source: Source) -> list[str]:
    return [source.stage.train_split, source.stage.test_split]


def _leave_out(source: Source, questions: Mapping[str, int]) -> None:
    """Count the questions of splits that are neither part, by how many each split has."""
    for split, count in questions.items():
        if count and split not in _parts(source):
            source.left_out[of_neither(split)] += count


def _to_question(source: Source, row: dict[str, Any], prefix: str) -> Question:
    return Question(
        place=row["sample_id"],
        id=row["sample_id"].removeprefix(prefix),
        image=row["image_path"],
        size=source.size(row["image_path"], (row["width"], row["height"])),
        query=row["query"],
        truth=Truth(row["box"], row["mask"], row["ignore"]),
        sentence_index=row["sentence_index"],
        split=row["split"],
    )
