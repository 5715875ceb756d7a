"""What lies below a folder: links are followed, and lead nobody in circles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile_data import refused

from samr1.core.tree import find_newest, walk


def make(root: Path, *names: str) -> None:
    for age, name in enumerate(names, start=1):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
        os.utime(root / name, (age, age))


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in walk(root))


def test_what_lies_behind_links_is_below_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "set/a.png", "disk/b.png", "disk/deep/c.png")
    (tmp_path / "set/masks").symlink_to(tmp_path / "disk")
    (tmp_path / "set/again").symlink_to(tmp_path / "disk/deep")
    (tmp_path / "set/nowhere").symlink_to(tmp_path / "none")
    assert names(tmp_path / "set") == [
        *("a.png", "again", "again/c.png", "masks", "masks/b.png", "masks/deep"),
        *("masks/deep/c.png", "nowhere"),
    ]


def test_a_folder_that_a_link_puts_into_itself_is_gone_through_once(tmp_path: Path) -> None:
    make(tmp_path, "set/a/b.png", "disk/c/d.png")
    (tmp_path / "set/a/up").symlink_to(tmp_path / "set")
    (tmp_path / "set/e").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/c/back").symlink_to(tmp_path / "set/a")
    found = names(tmp_path / "set")
    assert "e/c/back/b.png" in found and "a/up/a" not in found
    assert len(found) == len(set(found)) < 30


def test_links_that_make_ways_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samr1.core.tree._MOST_FOLDERS", 500)
    for number in range(10):
        (tmp_path / f"{number}").mkdir()
        for name in "ab":
            (tmp_path / f"{number}/{name}").symlink_to(tmp_path / f"{number + 1}")
    refused("has more than 500 folders below it", lambda: list(walk(tmp_path / "0")))


def test_the_newest_of_a_data_set_may_lie_behind_a_link(tmp_path: Path) -> None:
    make(tmp_path, "disk/mask.png", "set/questions.csv")
    (tmp_path / "set/masks").symlink_to(tmp_path / "disk")
    mask = tmp_path / "set/masks/mask.png"
    os.utime(mask, (2**33, 2**33))
    assert find_newest(tmp_path / "set") == mask
    assert find_newest(tmp_path / "none") is None
