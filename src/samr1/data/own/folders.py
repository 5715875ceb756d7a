"""Where the files of a data set lie, and whether its folders are the parts."""

from __future__ import annotations

import os
from pathlib import Path

from samr1.config.own_data import OwnDataStage
from samr1.core.errors import UserError
from samr1.data.own.questions import Source

REMEDY = "correct `root` or `file` of the data set"


def find_splits(folder: Path, stage: OwnDataStage) -> bool:
    """Whether the first folders below `folder` are splits: those of both parts are there."""
    return all(os.path.isdir(folder / split) for split in (stage.train_split, stage.test_split))


def list_folders(root: Path) -> list[str]:
    """The names of the folders in `root`, sorted; hidden ones are left out."""
    return sorted(path.name for path in root.glob("[!.]*") if os.path.isdir(path))


def of_neither(split: str | None) -> str:
    """What is left out, in words, where it is of another split than the parts'."""
    return f"of the split {split!r}, which is neither part"


def find_files(source: Source) -> list[tuple[str, str | None]]:
    """Where the data set's `file` lies below the root, with the split that its folder is, or None.

    It is in the root, or in a folder a split. Raises UserError where it is in neither.
    """
    stage, root, name = source.stage, source.root, str(source.stage.file)
    if not os.path.isdir(root):
        raise UserError(f"{root}: no such folder; correct `root` of the data set {stage.name}.")
    if os.path.exists(root / name):
        return [(name, None)]
    splits = [stage.train_split, stage.test_split]
    found = [f"{split}/{name}" for split in splits if os.path.exists(root / split / name)]
    if not found:
        raise UserError(f"{root / name}: no such file; {REMEDY}.")
    for folder in list_folders(root):
        if folder not in splits and os.path.exists(root / folder / name):
            source.left_out[f"the file {name} {of_neither(folder)}"] += 1
    return [(path, path.split("/")[0]) for path in found]
