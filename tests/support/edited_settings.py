"""The settings with one value changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

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
