"""Zip files from the network: a whole folder, or one sentence and none."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from data_world import write_zip

from samr1.core.errors import UserError
from samr1.data.unpacking import BadArchiveError, unpack_folder

GOOD = {"set/a.json": b"{}", "set/deep/b.jpg": b"jpg" * 1000}


def refused(tmp_path: Path, archive: Path, told: str) -> None:
    """`archive` is refused with `told`, by its name, and leaves nothing."""
    with pytest.raises(BadArchiveError, match=told) as error:
        unpack_folder(archive, "set", tmp_path / "out" / "set")
    assert str(error.value).startswith(f"{archive}: ")
    assert [path for path in tmp_path.rglob("*") if path not in (archive, tmp_path / "out")] == []


def test_the_folder_of_the_name_is_unpacked_and_nothing_beside_it(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", GOOD | {"__MACOSX/set/._a.json": b"x", "other": b"y"})
    unpack_folder(archive, "set", tmp_path / "out" / "set")
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == GOOD


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", GOOD)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine").touch()
    with pytest.raises(UserError, match="set: is there already"):
        unpack_folder(archive, "set", tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine"]
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_is_written_beside_the_folder_and_links_are_files(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("set/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
        for name in ("../out", "set/../../out", "/etc/out", "set//etc/out", "set\\..\\..\\out"):
            file.writestr(name, b"x")
    unpack_folder(tmp_path / "a.zip", "set", tmp_path / "deep" / "set")
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*out")}
    assert found == {"deep/set/out", "deep/set/etc/out"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "deep"]
    assert not (tmp_path / "deep" / "set" / "link").is_symlink()


@pytest.mark.parametrize("name", ["set/a.json/b", "set/" + "a" * 300, "set/.."])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, write_zip(tmp_path / "a.zip", GOOD | {name: b"x"}), "not a whole zip file")


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    deep = {"set/" + "a/" * 1500 + "b": b"x"}
    refused(tmp_path, write_zip(tmp_path / "a.zip", GOOD | deep), "more than 20 folders in one")


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"set/zeros": bytes(20_000_000)})
    refused(tmp_path, archive, r"would unpack to 20,000,000 bytes, more than 100 times its own")


def test_a_member_larger_than_it_declares_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"set/zeros": bytes(50_000), **GOOD})
    content = archive.read_bytes()
    size = (50_000).to_bytes(4, "little")
    assert content.count(size) == 2  # local header and directory
    archive.write_bytes(content.replace(size, (10).to_bytes(4, "little")))
    refused(tmp_path, archive, "not a whole zip file")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    archive = write_zip(tmp_path / "a.zip", GOOD)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(keep * len(content))])
    refused(tmp_path, archive, "not a whole zip file")


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:  # stored: only the checksum can tell
        file.writestr("set/a", b"one two three")
    archive.write_bytes(archive.read_bytes().replace(b"two", b"tow"))
    refused(tmp_path, archive, r"not a whole zip file \(Bad CRC-32")


def test_another_archive_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, write_zip(tmp_path / "a.zip", {}), "has no folder 'set'")
