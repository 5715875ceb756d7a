"""Put a public data set under the data root, unless it is there: what is there is never touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from samr1.config.datasets import Dataset, Source
from samr1.core.errors import UserError
from samr1.core.files import remove_parts
from samr1.data.fetching import fetch_file
from samr1.data.unpacking import BadArchiveError, unpack_folder


def fetch_dataset(dataset: Dataset, root: Path, pause: float = 2.0) -> list[dict[str, Any]]:
    """Fetch what `dataset` lacks under `root`; a row for every file that was downloaded.

    After a failure that may pass it waits `pause` seconds, each time twice as long.

    Raises UserError where a person has to fetch it, a download fails or is not what it should be,
    or what is there already is only a part of the data set.
    """
    missing = find_missing(dataset, root)
    if not missing:
        return []
    if dataset.by_hand is not None:
        raise UserError(f"{missing[0]}: missing or empty; {dataset.by_hand}")
    # A link that leads nowhere is a person's too.
    wanted = [source for source in dataset.files if not os.path.lexists(root / source.to)]
    for source in wanted:
        _fetch(source, root, pause)
    if missing := find_missing(dataset, root):
        raise UserError(
            f"{missing[0]}: missing or empty, and a folder that is there is not fetched over; "
            "complete it, or move it away and start again."
        )
    return [source.model_dump() for source in wanted]


def find_missing(dataset: Dataset, root: Path) -> list[Path]:
    """What `dataset` should hold and is not there; an empty folder holds nothing."""
    paths = [root / path for path in dataset.holds]
    return [
        path for path in paths if not (path.is_file() or (path.is_dir() and any(path.iterdir())))
    ]


def _fetch(source: Source, root: Path, pause: float) -> None:
    target = root / source.to
    if not source.unpack:
        fetch_file(source.url, target, source.bytes, source.sha256, pause)
        return
    archive = target.with_name(f".{target.name}.zip")
    if not archive.exists():  # else unpacking it was interrupted
        fetch_file(source.url, archive, source.bytes, source.sha256, pause)
    remove_parts(target)  # of an unpacking that was killed: 80,000 files of train2014
    try:
        unpack_folder(archive, target.name, target)
    except BadArchiveError:
        archive.unlink()
        raise
    archive.unlink()
