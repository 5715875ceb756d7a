"""Files that appear complete or not at all; Parquet that is the same bytes for the same rows."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from samr1.core.errors import UserError
from samr1.core.reading import is_text, read_columns

# What a person must see to before anything can be written: a full disk, a quota, a read-only disk.
# Looked for in the message, because not every library raises an OSError.
_CANNOT_WRITE = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS))

# In every folder that may be replaced, with the command that made it and alone may: what a person
# put somewhere has none.
MARK = ".made_by_samr1"


def _mark(maker: str) -> bytes:
    return f"samr1's {maker} made this folder and may replace it; nobody else does.\n".encode()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk says while `path` is written into a UserError of one sentence."""
    try:
        yield
    except Exception as error:
        for reason in _CANNOT_WRITE:
            if reason in str(error):
                raise _unwritable(path, reason) from error
        raise


def _unwritable(path: Path, reason: object) -> UserError:
    return UserError(f"{path}: cannot be written ({reason}); mend that and start again.")


def _part_name(path: Path) -> str:
    """How the names of what is written for `path`, and for nothing else beside it, begin.

    A name of full length has no room; a long one is told by its digest.
    """
    name = path.name
    if len(name) > 40:
        name = f"{name[:40]}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:16]}"
    return f".{name}.part-"


def _part(path: Path) -> Path:
    """A sibling that nobody else writes: two machines may share the disk and a process's number."""
    return path.with_name(f"{_part_name(path)}{os.getpid()}-{secrets.token_hex(4)}")


def remove_parts(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; a short name may hold `*`.

    Only for who alone writes `path`: a living writer's work would go too.
    """
    for part in path.parent.glob(f"{_part_name(path)}*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


def _prepare(path: Path) -> os.stat_result | None:
    """Make the folder that `path` will stand in; what stands at `path` itself, a link as it is.

    Raises UserError where nothing of that name can be made.
    """
    if not is_text(str(path)):
        raise _unwritable(path, "its name is no valid Unicode")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.lstat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unwritable(path, reason) from error


def _named(path: Path) -> Path:
    """`path` by a name that siblings can be made of; `.` and `..` have none."""
    return path if path.name not in ("", "..") else path.resolve()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`, which takes its name on success and else is removed.

    Raises UserError where something else than a file is there, or nothing can be written.
    """
    path = _named(path)
    there = _prepare(path)
    if there and not (stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode)):
        raise UserError(f"{path}: is there and no file; give the output another name.")
    temporary = _part(path)
    try:
        with writing(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, maker: str | None) -> Iterator[Path]:
    """Yield a temporary sibling folder; it takes the name `path` on success, else it is removed.

    A folder that is there is replaced only where it is empty or the command `maker` made it too,
    which a file in it says (`MARK`). Of None nothing is, and the new folder gets no mark. Raises
    UserError where something else is there, or nothing can be written.
    """
    path = _named(path)
    _check_free(path, maker)
    temporary = _part(path)
    try:
        with writing(path):
            temporary.mkdir()
            yield temporary
            if maker:
                (temporary / MARK).write_bytes(_mark(maker))
            _check_free(path, maker)
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def use_folder(path: Path, maker: str, sign: str) -> Path:
    """Make the folder `path`, whose files may then be written anew; returns it.

    Raises UserError where another's is there: it is not empty and has neither the `MARK` of the
    command `maker` nor `sign`, which only that writes.
    """
    path = _named(path)
    if not os.path.exists(path / sign):
        _check_free(path, maker)
    with writing(path):
        path.mkdir(exist_ok=True)
        (path / MARK).write_bytes(_mark(maker))
    return path


def _check_free(path: Path, maker: str | None) -> None:
    """Raise UserError where a folder of the command `maker` may not take the name `path`."""
    there = _prepare(path)
    if there is None:
        return
    if maker is None:
        raise UserError(f"{path}: is there already; move it away and start again.")
    if not stat.S_ISDIR(there.st_mode):
        raise UserError(f"{path}: is there and no folder; give the output another name.")
    if not _is_of(path, maker) and any(path.iterdir()):
        raise UserError(
            f"{path}: is there and was not made by samr1's {maker} (the {MARK} in it would say "
            "so), so it is not replaced; move it away, or give the output another name."
        )


def _is_of(path: Path, maker: str) -> bool:
    if not (path / MARK).is_file():
        return False
    with (path / MARK).open("rb") as file:
        return file.read(1_000) == _mark(maker)


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_table(
    path: Path,
    table: pa.Table,
    metadata: Mapping[str, str] | None = None,
    row_group_size: int | None = None,
) -> None:
    """Write `table` as Parquet, whole or not at all, with `metadata` in the file's schema."""
    if metadata:
        table = table.replace_schema_metadata(dict(metadata))
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=row_group_size)


def read_table(path: Path, schema: pa.Schema | None = None) -> pa.Table:
    """Read a Parquet file; with `schema`, its columns must be there with these types.

    Raises UserError when the file is missing, is not Parquet, or lacks a column.
    """
    table = read_columns(path)
    if schema is None:
        return table
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: lacks the column {missing[0]!r}; it needs {schema.names}.")
    try:
        return table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        raise UserError(f"{path}: a column has the wrong type ({error}).") from error
