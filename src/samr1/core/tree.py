"""What lies below a folder, by whatever way: large data is often a link to another disk."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from samr1.core.errors import UserError

_MOST_FOLDERS = 200_000  # a few links to one another make more ways than anybody can walk


def walk(top: Path) -> Iterator[Path]:
    """Each file and folder below `top`, links and what lies behind them too, in no order.

    A folder that a link puts into itself is not gone through again, nor is one that may not be
    read. Raises UserError where there are more folders than any data has.
    """
    waiting = [(top, frozenset[str]())]
    for _ in range(_MOST_FOLDERS):
        if not waiting:
            return
        folder, above = waiting.pop()
        real = os.path.realpath(folder)
        if real in above:
            continue
        for path in _list(folder):
            yield path
            if os.path.isdir(path):
                waiting.append((path, above | {real}))
    raise UserError(f"{top}: has more than {_MOST_FOLDERS:,} folders below it; correct the path.")


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # as `lost+found` on a disk of one's own
        return []


def list_files(folder: Path, suffixes: Collection[str]) -> list[str]:
    """The files below `folder` with one of `suffixes` (small letters), relative to it and sorted.

    Hidden files and folders are left out. Raises UserError where there is no such folder.
    """
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: no such folder; correct the paths of the data set.")
    paths = (
        path.relative_to(folder).as_posix()
        for path in walk(folder)
        if path.suffix.lower() in suffixes and path.is_file()
    )
    return sorted(path for path in paths if not any(one[0] == "." for one in path.split("/")))


def find_newest(top: Path) -> Path | None:
    """The file or folder changed last of `top` and all below it; None where it is not there.

    A file that is mended in its place is the newest one, and where a file came or went its folder.
    """
    there = [path for path in (top, *walk(top)) if os.path.exists(path)]
    return max(there, key=lambda path: (path.stat().st_mtime, path), default=None)
