"""Folders of files without a table: what lies in them, and whether they are the parts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from samr1.config.own_data import OwnDataStage
from samr1.core.errors import UserError


def list_files(folder: Path, suffixes: Collection[str]) -> list[str]:
    """The files below `folder` with one of `suffixes` (small letters), relative to it and sorted.

    Hidden files and folders are left out. Raises UserError where there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; correct the paths of the data set.")
    paths = (
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and path.is_file()
    )
    return sorted(path for path in paths if not any(one[0] == "." for one in path.split("/")))


def find_splits(folder: Path, stage: OwnDataStage) -> bool:
    """Whether the first folders below `folder` are splits: those of both parts are there."""
    return all((folder / split).is_dir() for split in (stage.train_split, stage.test_split))
