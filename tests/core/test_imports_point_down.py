"""The order of the house: an import may only point down this list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import samr1

ROOMS = [
    "cli",
    "app",
    "report",
    "gpu",
    "planning",
    "train",
    "pretrain",
    "evaluation",
    "rollout",
    "segmenter",
    "detector",
    "micro",
    "method",
    "policy",
    "data",
    "config",
    "core",
]
SOURCE = Path(samr1.__file__).parent


def imported_rooms(file: Path) -> Iterator[str]:
    """The packages of `samr1` that a module imports, inside of functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{one.name}" for one in node.names]
        elif isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("samr1."))


def test_every_package_is_a_room() -> None:
    assert {file.parent.name for file in SOURCE.glob("*/__init__.py")} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room: str) -> None:
    below = ROOMS[ROOMS.index(room) :]
    upward = {
        f"{file.relative_to(SOURCE)} imports {other}"
        for file in SOURCE.joinpath(room).rglob("*.py")
        for other in imported_rooms(file)
        if other not in below
    }
    assert not upward
