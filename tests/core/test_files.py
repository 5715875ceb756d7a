"""Files appear whole or not at all, whatever stops them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError

from samr1.core.errors import UserError
from samr1.core.files import atomic_file, atomic_folder

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
    with pytest.raises(UserError, match=told), atomic_folder(tmp_path / "a" / "b") as temporary:
        (temporary / "c").symlink_to(FULL)
        write(temporary / "c")
    assert list((tmp_path / "a").iterdir()) == []


def test_other_failures_stay_what_they_are_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "b") as temporary:
        (temporary / "half").touch()
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with atomic_file(tmp_path / "a") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a").read_text() == "old"
    assert (tmp_path / "a").read_text() == "new"
