"""COCO's JSON: lists of entries, each with an `id`; an entry is parsed where it is wanted."""

from __future__ import annotations

from pathlib import Path

from samr1.core.errors import UserError
from samr1.core.json_lists import JsonLists, Place

Places = dict[int, Place]  # where the entries of a list stand, by their ids


def find_entries(file: JsonLists, path: Path, *keys: str) -> list[Places]:
    """Where the entries of each list in `keys` stand in the COCO file at `path`.

    Raises UserError where a list is missing, or an entry has no id or another's.
    """
    found: dict[str | None, Places] = {key: {} for key in keys}
    for key, place, entry in file:
        if key not in found:
            continue
        row = len(found[key])
        if not isinstance(entry, dict) or type(entry.get("id")) is not int:
            raise UserError(
                f"{path}: `{key}`, row {row}: has no `id` that is a whole number; fetch the file "
                "again, or export it as COCO."
            )
        if entry["id"] in found[key]:
            raise UserError(
                f"{path}: `{key}`, row {row}: a row before it has the same id, {entry['id']}; "
                "keep one of them."
            )
        found[key][entry["id"]] = place
    for key in found:
        if key not in file.keys:
            raise UserError(
                f"{path}: not a COCO file: it has no list of `{key}`; fetch it again, or export it "
                "as COCO."
            )
    return list(found.values())
