"""Unpack a zip file from the network: a folder that appears whole, or one sentence and no folder.

`zipfile` writes every member below the folder, whatever its name says, makes no links, and reads no
byte more than is declared; what is inside is known by the archive's checksum.
"""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from samr1.core.bars import bar_interval
from samr1.core.errors import UserError, reason_of
from samr1.core.files import atomic_folder

# Images are hardly compressed and JSON by ten; only what is made to fill disks by more than this.
_MOST_INFLATION = 100
_DEEPEST = 20  # folders in one another: what removes them again calls itself for each
# The system's refusals that are the archive's: of a name that no file can have, of a broken place.
_ITS_OWN = (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EINVAL, None)


class BadArchiveError(UserError):
    """An archive that must not or cannot be unpacked."""


def unpack_folder(archive: Path, name: str, folder: Path) -> None:
    """Unpack what the zip file `archive` holds below its folder `name` as the new folder `folder`.

    Raises BadArchiveError where the archive is not whole, has no such folder, or goes deeper or
    inflates beyond all measure; UserError where `folder` is there or the disk is full.
    """
    with (
        atomic_folder(folder, maker=None) as temporary,
        _reading(archive),
        zipfile.ZipFile(archive) as file,
    ):
        below = [one for one in file.infolist() if one.filename.startswith(f"{name}/")]
        inside = [one for one in below if not one.is_dir()]
        if not inside:
            raise BadArchiveError(f"{archive}: has no folder {name!r}; it is another file.")
        if max(one.filename.count("/") for one in inside) > _DEEPEST:
            raise BadArchiveError(
                f"{archive}: has more than {_DEEPEST} folders in one another; it is not unpacked."
            )
        inflated = sum(one.file_size for one in inside)
        if inflated > _MOST_INFLATION * archive.stat().st_size:
            raise BadArchiveError(
                f"{archive}: would unpack to {inflated:,} bytes, more than {_MOST_INFLATION} times "
                "its own; it is not unpacked."
            )
        every = bar_interval()
        for one in tqdm(inside, f"unpacking {archive.name}", unit="file", mininterval=every):
            one.filename = one.filename.removeprefix(f"{name}/")
            file.extract(one, temporary)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn what the library raises on a broken archive, nearly anything, into a sentence."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in _ITS_OWN:
            raise  # a disk's or network's that fails says nothing of the archive
        raise BadArchiveError(
            f"{archive}: not a whole zip file ({reason_of(error)}); fetch it again."
        ) from error
