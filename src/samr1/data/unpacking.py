"""Unpack a zip file from the network: a folder that appears whole, or one sentence and no folder.

Nothing of the archive is believed: every member is checked before the first is written.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from samr1.core.errors import UserError
from samr1.core.files import atomic_folder
from samr1.core.reading import is_text
from samr1.data.fetching import byte_bar

# Images are hardly compressed and JSON by ten; only what is made to fill disks by more than this.
MOST_INFLATION = 100
_LONGEST_NAME = 200  # bytes, of a file or a folder
_DEEPEST = 20  # folders in one another
_BLOCK = 1 << 20  # bytes

Members = dict[PurePosixPath, zipfile.ZipInfo]


class BadArchiveError(UserError):
    """An archive that must not or cannot be unpacked."""


def unpack_folder(archive: Path, name: str, folder: Path) -> None:
    """Unpack what the zip file `archive` holds below its folder `name` as the new folder `folder`.

    Raises BadArchiveError where the archive is not whole, has no such folder, or has a member that
    leads out of it, is a link, cannot be a file's name, or inflates beyond all measure; UserError
    where `folder` is there or the disk is full.
    """
    with atomic_folder(folder, replace=False) as temporary:
        with _reading(archive):
            file = zipfile.ZipFile(archive)
        with file:
            _unpack(file, _check_members(file, archive, name), temporary, archive)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn what the library raises on a broken archive into a sentence."""
    try:
        yield
    # On broken bytes: of the library's own, of zlib's, and an OSError of a place before the start.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
        raise BadArchiveError(
            f"{archive}: not a whole zip file ({error}); fetch it again."
        ) from error


def _check_members(file: zipfile.ZipFile, archive: Path, name: str) -> Members:
    """The files below `name`, by their path there; raises BadArchiveError where a member is bad."""
    found: Members = {}
    inflated = 0
    for member in file.infolist():
        if reason := _why_bad(member):
            shown = member.orig_filename[:100]
            raise BadArchiveError(f"{archive}: its member {shown!r} {reason}; it is not unpacked.")
        inflated += member.file_size
        path = PurePosixPath(member.filename)
        if not member.is_dir() and path.parts[0] == name and len(path.parts) > 1:
            inside = PurePosixPath(*path.parts[1:])
            if inside in found:
                raise BadArchiveError(f"{archive}: has {member.filename!r} twice; fetch it again.")
            found[inside] = member
    if inflated > MOST_INFLATION * archive.stat().st_size:
        raise BadArchiveError(
            f"{archive}: would unpack to {inflated:,} bytes, more than {MOST_INFLATION} times its "
            "own; it is not unpacked."
        )
    if not found:
        raise BadArchiveError(f"{archive}: has no folder {name!r}; it is another file.")
    if clash := next((path for path in found if set(path.parents) & found.keys()), None):
        raise BadArchiveError(
            f"{archive}: a folder of {str(clash)!r} is a file too; it is not unpacked."
        )
    return found


def _why_bad(member: zipfile.ZipInfo) -> str | None:
    """Why a member must not be unpacked, or None."""
    name = member.orig_filename  # `filename` ends at a zero byte
    parts = name.split("/")
    if not is_text(name) or "\\" in name or name.startswith("/") or name[1:2] == ":" or not name:
        return "is no path inside the archive"
    if ".." in parts:
        return "leads out of the archive"
    if len(parts) > _DEEPEST or max(len(part.encode()) for part in parts) > _LONGEST_NAME:
        return "has a name that is too long or too deep"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & 1:
        return "is encrypted"
    return None


def _unpack(file: zipfile.ZipFile, members: Members, folder: Path, archive: Path) -> None:
    """Write the members; `zipfile` reads no byte more than declared and compares the checksums."""
    total = sum(member.file_size for member in members.values())
    with byte_bar(f"unpacking {archive.name}", total) as bar:
        for path, member in members.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with _reading(archive):
                source = file.open(member)
            with source, target.open("xb") as sink:
                while True:
                    with _reading(archive):
                        block = source.read(_BLOCK)
                    if not block:
                        break
                    sink.write(block)
                    bar.update(len(block))
