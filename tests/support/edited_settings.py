"""Settings with something changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

SETTINGS = Path(__file__).parents[2] / "config"
Edit = Callable[[str, str, object], Path]


def copy_settings(folder: Path) -> Edit:
    """Copy them to `folder`; what changes one: edit("runs.yaml", "grpo/train/clip_high", 0.1)."""
    shutil.copytree(SETTINGS, folder)

    def change(file: str, path: str, value: object) -> Path:
        document = yaml.safe_load((folder / file).read_text())
        *parents, last = path.split("/")
        place = document
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value
        (folder / file).write_text(yaml.safe_dump(document, sort_keys=False))
        return folder

    return change


def edit(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write what `change` makes of a settings file's mapping."""
    values = change(yaml.safe_load(file.read_text(encoding="utf-8")))
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
