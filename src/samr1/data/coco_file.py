"""COCO's JSON: lists of entries with an `id`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samr1.core.errors import UserError
from samr1.core.reading import load_json

_MOST_BYTES = 1_000_000_000  # COCO's own have half of it

Entries = dict[int, dict[str, Any]]


def load_coco(path: Path, remedy: str, *keys: str) -> list[Entries]:
    """Of the COCO file `path` the entries of each list in `keys` by their id.

    Raises UserError where a list is missing, or an entry has no id or another's.
    """
    content = load_json(path, _MOST_BYTES, remedy)
    return [_by_id(content, key, path) for key in keys]


def _by_id(content: Any, key: str, path: Path) -> Entries:
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise UserError(f"{path}: not a COCO file: it has no list of `{key}`; fetch it again.")
    found: Entries = {}
    for row, entry in enumerate(entries):
        if not isinstance(entry, dict) or type(entry.get("id")) is not int:
            raise UserError(f"{path}: `{key}`, row {row}: has no `id`; fetch the file again.")
        if entry["id"] in found:
            raise UserError(
                f"{path}: `{key}`, row {row}: a row before it has the same id, {entry['id']}; "
                "keep one of them."
            )
        found[entry["id"]] = entry
    return found
