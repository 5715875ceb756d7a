"""The layouts of the public data sets, for files of one's own that lie like theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from samr1.core.errors import UserError
from samr1.data import reasonseg, refer
from samr1.data.own.questions import Question, Source, Truth

_REFS = re.compile(r"([^/]+)/refs\(([^/]+)\)\.p")


def read_reasonseg(source: Source) -> Iterator[Question]:
    """The questions of `ReasonSeg/<split>` of both parts, each an image's first text."""
    for split in (source.stage.train_split, source.stage.test_split):
        for row in reasonseg.read_rows(source.root, split, source.bad, "reasonseg"):
            with source.bad.catching(row["sample_id"]):
                yield _to_question(source, row, "reasonseg/")


def read_refer(source: Source) -> Iterator[Question]:
    """The questions of `NAME/refs(WHO).p` of both parts, each a sentence."""
    named = _REFS.fullmatch(str(source.stage.file))
    if named is None:
        raise UserError(f"file = {source.stage.file}: must be NAME/refs(WHO).p with layout refer.")
    name, who = named.groups()
    for split in (source.stage.train_split, source.stage.test_split):
        for row in refer.read_rows(source.root, name, who, split, "all", source.bad):
            with source.bad.catching(row["sample_id"]):
                yield _to_question(source, row, f"{name}/{who}/")


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
