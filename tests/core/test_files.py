"""Files appear whole or not at all, whatever stops them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError

from samr1.core.errors import UserError
from samr1.core.files import MARK, atomic_file, atomic_folder, remove_parts, use_folder

FULL = Path("/dev/full")  # every write to it ends as on a full disk


def write_bytes(path: Path) -> None:
    path.write_bytes(b"x")


def write_weights(path: Path) -> None:
    # What safetensors says then; it replaces a link, so it cannot be led to FULL.
    raise SafetensorError("Error while serializing: I/O error: No space left on device")


@pytest.mark.parametrize("write", [write_bytes, write_weights])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    told = r"a/b: cannot be written \(No space left on device\)"
    with pytest.raises(UserError, match=told), atomic_file(tmp_path / "a" / "b") as temporary:
        temporary.symlink_to(FULL)
        write(temporary)
    with (
        pytest.raises(UserError, match=told),
        atomic_folder(tmp_path / "a" / "b", None) as temporary,
    ):
        (temporary / "c").symlink_to(FULL)
        write(temporary / "c")
    assert list((tmp_path / "a").iterdir()) == []


def test_other_failures_stay_what_they_are_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "b", None) as temporary:
        (temporary / "half").touch()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a").read_text() == "old"
    assert (tmp_path / "a").read_text() == "new"


def fill(path: Path, name: str, maker: str | None = "draw") -> None:
    with atomic_folder(path, maker) as temporary:
        (temporary / name).touch()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_replaced_where_it_was_made_here_or_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in ("first", "second"):
        fill(tmp_path / "a", name)
        assert names(tmp_path / "a") == {name, MARK}
    fill(tmp_path / "b", "first", None)
    assert names(tmp_path / "b") == {"first"}
    for maker in ("draw", None):
        with pytest.raises(UserError, match=r"b: is there (already|and was not made by samr1)"):
            fill(tmp_path / "b", "second", maker)
    for write in (fill, use_folder):  # another command's
        with pytest.raises(UserError, match=r"a: is there and was not made by samr1's train \(the"):
            write(tmp_path / "a", "train", "train")
    assert names(tmp_path) == {"a", "b"} and names(tmp_path / "b") == {"first"}
    assert names(tmp_path / "a") == {"second", MARK}


def test_what_a_person_put_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("mine")
    (tmp_path / "link").symlink_to(mine)
    inside = mine / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    for path, told in (
        (mine, "mine: is there and was not made by samr1"),
        (mine / "file", "file: is there and no folder; give the output another name"),
        (tmp_path / "link", "link: is there and no folder"),
        (Path(".."), "mine: is there and was not made by samr1"),
        (mine / "file" / "below", r"below: cannot be written \(File exists\)"),
        (tmp_path / ("a" * 300), r"cannot be written \(File name too long\)"),
        (tmp_path / "a\0b", r"cannot be written \(its name is no valid Unicode\)"),
        (tmp_path / "caf\udce9", r"cannot be written \(its name is no valid Unicode\)"),
    ):
        with pytest.raises(UserError, match=told):
            fill(path, "new")
    for path, told in (
        (mine, "mine: is there and no file"),
        (Path("/dev/full"), "full: is there and no file"),
        (mine / "file" / "below", "cannot be written"),
    ):
        with pytest.raises(UserError, match=told), atomic_file(path):
            pass
    with atomic_file(tmp_path / ("a" * 255)) as temporary:  # as long as a name can be
        temporary.touch()
    assert names(tmp_path) == {"mine", "link", "a" * 255}
    assert names(mine) == {"file", "inside"} and (mine / "file").read_text() == "mine"


@pytest.mark.parametrize("common", ["a", "a" * 90, "é" * 90])
def test_what_is_removed_of_killed_writers_is_of_that_name_alone(
    tmp_path: Path, common: str
) -> None:
    ours, theirs = (tmp_path / f"{common}-{number}.parquet" for number in (100, 1000))
    killed = atomic_file(ours)
    killed.__enter__().touch()
    with atomic_file(theirs) as living:
        living.touch()
        remove_parts(ours)
        assert list(tmp_path.iterdir()) == [living]
    assert list(tmp_path.iterdir()) == [theirs]
