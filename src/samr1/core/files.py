"""Files that appear complete or not at all; Parquet that is the same bytes for the same rows."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from samr1.core.errors import UserError, refusing

# What a person must see to before anything can be written: a full disk, a quota, a read-only disk.
# Looked for in the message, because not every library raises an OSError.
_CANNOT_WRITE = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk says while `path` is written into a UserError of one sentence."""
    try:
        yield
    except Exception as error:
        for reason in _CANNOT_WRITE:
            if reason in str(error):
                raise UserError(
                    f"{path}: cannot be written ({reason}); mend that and start again."
                ) from error
        raise


def _part(path: Path) -> Path:
    """A sibling that nobody else writes: two machines may share the disk and a process's number."""
    return path.with_name(f".{path.name}.part-{os.getpid()}-{secrets.token_hex(4)}")


def remove_parts(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; its name may hold `*`.

    Only for who alone writes `path`: a living writer's work would go too.
    """
    for part in path.parent.glob(f".{path.name}.part-*"):
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`, which takes its name on success and else is removed.

    Raises UserError where the disk is full or read-only.
    """
    temporary = _part(path)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder; it replaces `path` on success and is removed on failure.

    Raises UserError where the disk is full or read-only.
    """
    temporary = _part(path)
    try:
        with writing(path):
            temporary.mkdir(parents=True)
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_text(path: Path, most_bytes: int) -> str:
    """The UTF-8 text in `path`; raises UserError where it is none or has more bytes."""
    with refusing(f"{path}: cannot be read", "get it again"):
        if not path.is_file():
            raise UserError(f"{path}: no such file; get it again.")
        if path.stat().st_size > most_bytes:
            raise UserError(f"{path}: has more than {most_bytes:,} bytes; get it again.")
        return path.read_text(encoding="utf-8")


def read_json(path: Path, most_bytes: int) -> dict[str, Any]:
    """The JSON object in `path`, which has at most `most_bytes` and no number that is not finite.

    Raises UserError where it is none.
    """
    text = read_text(path, most_bytes)
    with refusing(f"{path}: cannot be read", "get it again"):
        values = json.loads(text, parse_float=_finite, parse_constant=_finite)
    if not isinstance(values, dict):
        raise UserError(f"{path}: must be a JSON object; get it again.")
    return values


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no finite number")
    return number


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
    if not path.is_file():
        raise UserError(f"{path}: no such file; make it first or correct the path.")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a readable Parquet file ({error}); make it again.") from error
    if schema is None:
        return table
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: lacks the column {missing[0]!r}; it needs {schema.names}.")
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"{path}: a column has the wrong type ({error}).") from error
