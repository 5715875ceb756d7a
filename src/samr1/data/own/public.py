"""The layouts of the public data sets, for files of one's own that lie like theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError
from samr1.core.tree import list_files
from samr1.data import mirror, reasonseg, refer
from samr1.data.mirror_files import find_shards, read_rows, shards_folder
from samr1.data.own.folders import list_folders, of_neither
from samr1.data.own.questions import Question, Source, Truth

_REFS = re.compile(r"([^/]+)/refs\(([^/]+)\)\.p")


def read_reasonseg(source: Source) -> Iterator[Question]:
    """The questions of `ReasonSeg/<split>` of both parts, each an image's first text."""
    for split in _parts(source):
        for row in reasonseg.read_rows(source.root, split, source.bad, "reasonseg"):
            with source.bad.catching(row["sample_id"]):
                yield _to_question(source, row, row["sample_id"], "reasonseg/")
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
                yield _to_question(source, row, row["sample_id"], f"{name}/{who}/")
    _leave_out(source, refer.count_sentences(source.root / str(source.stage.file)))


def read_mirror(source: Source) -> Iterator[Question]:
    """The questions of a Parquet mirror, its images unpacked: each text of a row."""
    root, name = source.root, str(source.stage.mirror)
    folder, images = shards_folder(root, name), mirror.Images(root, name)
    splits = _split_shards(source, find_shards(folder))
    readers = {split: mirror.Reader(images, None, split) for split in splits.values()}
    for path, where, cells in read_rows(folder, mirror.COLUMNS, desc=name):
        for row in readers[splits[path]].read_row(where, cells, source.bad):
            with source.bad.catching(where):
                yield _to_question(source, row, where)


def _split_shards(source: Source, shards: list[Path]) -> Mapping[Path, str | None]:
    """The split of each file, as `datasets` names them: train-00000-of-00002, or train/0000."""
    for splits in (
        {path: path.stem.partition("-")[0] for path in shards},
        {path: path.parent.name for path in shards},
    ):
        if set(_parts(source)) <= set(splits.values()):
            return splits
    return dict.fromkeys(shards)


def _parts(source: Source) -> list[str]:
    return [source.stage.train_split, source.stage.test_split]


def _leave_out(source: Source, questions: Mapping[str, int]) -> None:
    """Count the questions of splits that are neither part, by how many each split has."""
    for split, count in questions.items():
        if count and split not in _parts(source):
            source.left_out[of_neither(split)] += count


def _to_question(source: Source, row: dict[str, Any], place: str, prefix: str = "") -> Question:
    return Question(
        place=place,
        id=row["sample_id"].removeprefix(prefix),
        image=row["image_path"],
        size=source.size(row["image_path"], (row["width"], row["height"])),
        query=row["query"],
        truth=Truth(row["box"], row["mask"], row["ignore"]),
        sentence_index=row["sentence_index"],
        split=row["split"],
    )
