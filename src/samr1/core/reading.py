"""Other people's files: read within a bound, and one sentence where they are not what they say."""

from __future__ import annotations

import codecs
import json
import math
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, TypeGuard

import pyarrow as pa
import pyarrow.parquet as pq

from samr1.core.errors import ON_INPUT, UserError, refusing

# Of one table in memory: half a million questions with their masks.
MOST_TABLE_BYTES = 300_000_000
_MOST_PAGE = 20_000_000  # bytes
_MOST_FOOTER = 1 << 26  # bytes
_MOST_ROWS = 2_000_000  # of a Parquet file: those that hold nothing take no bytes in it
BROKEN_PARQUET = "not a readable Parquet file"
_ROWS_AT_ONCE = 32  # a few bytes of a dictionary can stand for megabytes in every row

_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's mark, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# A character of several bytes in UTF-8. In cp1252 it would be two or three that no text has.
_UTF8_CHARACTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)


def check_file(path: Path, most: int, remedy: str = "correct the path") -> None:
    """Raise UserError unless `path` is a regular file of at most `most` bytes that can be read.

    A device or a pipe would be read without end. `remedy` is what to do where there is none.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{path}: no such file; {remedy}.") from error
    except (OSError, ValueError) as error:  # a ValueError where a zero byte is in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read ({reason}); {remedy}.") from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path}: is no regular file; {remedy}.")
    if found.st_size > most:
        raise UserError(f"{path}: has more than {most:,} bytes; {remedy}.")


def read_bytes(path: Path, most: int, remedy: str = "correct the path") -> bytes:
    """The content of a file of at most `most` bytes. Raises UserError as `check_file` does."""
    check_file(path, most, remedy)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {remedy}.") from error


def decode_text(data: bytes) -> str:
    """A text in UTF-8 or, where a mark says so, UTF-16 or UTF-32; else in cp1252.

    Raises ValueError where it is none of these, or UTF-8 but for some bytes.
    """
    for mark, encoding in _ENCODINGS.items():
        if data.startswith(mark):
            return data.decode(encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if _UTF8_CHARACTER.search(data):
            raise
        return data.decode("cp1252")


def find_encoding(path: Path) -> str:
    """The encoding of the text in a file of any size; raises ValueError as `decode_text` does."""
    with path.open("rb") as file:
        start = file.read(4)
    marked = (name for mark, name in _ENCODINGS.items() if start.startswith(mark))
    encoding = next(marked, "utf-8")
    try:
        _check_decodes(path, encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            if _UTF8_CHARACTER.search(content):
                raise
        encoding = "cp1252"
        _check_decodes(path, encoding)
    return encoding


def _check_decodes(path: Path, encoding: str) -> None:
    with path.open(encoding=encoding, newline="") as file:
        while file.read(1 << 20):
            pass


def find_delimiter(header: str) -> str:
    """What stands between the cells of a CSV file, by its first line: a comma, semicolon or tab.

    Spreadsheets put semicolons where the country's numbers have commas.
    """
    return max(",;\t", key=header.count)


def find_twice(names: Iterable[str]) -> str | None:
    """The first of `names` that stood there before, or None.

    >>> find_twice(["a", "b", "b"])
    'b'
    """
    seen = set[str]()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def is_text(value: object) -> TypeGuard[str]:
    """Whether `value` is a text that every file can hold: valid Unicode without a zero byte."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, or a byte of a file's name that is no UTF-8
        return False
    return True


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; raises ValueError where a key stands twice, of which the last would count."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"the key {str(find_twice(key for key, _ in pairs))[:80]!r} stands twice")
    return values


def parse_json(text: str, number: Callable[[str], float] | None = None) -> Any:
    """The value of a JSON text, its decimals, NaN and infinities by `number`.

    Raises ValueError or RecursionError where it is none.
    """
    return json.loads(
        text, object_pairs_hook=unique_keys, parse_float=number, parse_constant=number
    )


def read_utf8(path: Path, remedy: str = "make it again") -> str:
    """The text of a page in UTF-8, as reports hold them; raises UserError where it is none."""
    with refusing(f"{path}: no text in UTF-8", remedy, ON_INPUT):
        return read_bytes(path, _MOST_PAGE, remedy).decode("utf-8")


def load_json(path: Path, most: int, remedy: str = "fetch it again") -> Any:
    """The value in a JSON file of at most `most` bytes, in any encoding of `decode_text`.

    Raises UserError where it is no such file, or has so many values that it would fill the memory.
    """
    data = _read_values(path, most, remedy)
    with refusing(f"{path}: not a JSON file", remedy, ON_INPUT):
        return parse_json(decode_text(data))


def load_object(path: Path, most: int) -> dict[str, Any]:
    """The JSON object in a UTF-8 file of at most `most` bytes, all of its numbers finite.

    Raises UserError as `load_json` does, and where it is none.
    """
    remedy = "get it again"
    data = _read_values(path, most, remedy)
    with refusing(f"{path}: not a JSON file", remedy, ON_INPUT):
        values = parse_json(data.decode("utf-8"), _finite)
    if not isinstance(values, dict):
        raise UserError(f"{path}: must be a JSON object; {remedy}.")
    return values


def _read_values(path: Path, most: int, remedy: str) -> bytes:
    data = read_bytes(path, most, remedy)
    if sum(map(data.count, (b",", b"[", b"{"))) > most // 16:
        raise UserError(f"{path}: has more than {most // 16:,} values; {remedy}.")
    return data


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no finite number")
    return number


def open_parquet(path: Path, remedy: str = "make it again") -> pq.ParquetFile:
    """Open a Parquet file. Raises UserError where it is none, or has two columns of one name."""
    check_file(path, 1 << 50, remedy)
    with refusing(f"{path}: {BROKEN_PARQUET}", remedy):
        _check_footer(path)
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
    if twice := find_twice(names):
        raise UserError(f"{path}: has the column {twice!r} twice; {remedy}.")
    if file.metadata.num_rows > _MOST_ROWS:
        raise UserError(f"{path}: has more than {_MOST_ROWS:,} rows; divide it into several.")
    return file


def read_columns(
    path: Path, columns: Sequence[str] | None = None, remedy: str = "make it again"
) -> pa.Table:
    """The table in a Parquet file, or those of `columns` that it has, checked to the last byte.

    Raises UserError where it is broken, or takes more than `MOST_TABLE_BYTES`.
    """
    file = open_parquet(path, remedy)
    schema = file.schema_arrow
    if columns is not None:
        schema = pa.schema([field for field in schema if field.name in columns])
    batches, size = [], 0
    with refusing(f"{path}: {BROKEN_PARQUET}", remedy):
        _check_pages(file, schema, path)
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=schema.names):
            batch.validate(full=True)
            batches.append(_written_out(batch))
            size += batches[-1].nbytes
            if size > MOST_TABLE_BYTES:
                raise _too_large(path)
        return pa.Table.from_batches(batches).combine_chunks() if batches else schema.empty_table()


def _check_footer(path: Path) -> None:
    """Raise ValueError where a file says that its last part, which is read whole, is very large."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 8, 0))
        if (size := int.from_bytes(file.read(4), "little")) > _MOST_FOOTER:
            raise ValueError(f"a footer of {size:,} bytes")


def _check_pages(file: pq.ParquetFile, schema: pa.Schema, path: Path) -> None:
    """Raise UserError where the columns of `schema` would fill the memory with their first row."""
    for field in schema:
        if any(map(_holds_numbers, _inner_types(field.type))):
            raise UserError(
                f"{path}: the column {field.name!r} holds numbers of values in lists or "
                "structures; write the values themselves."
            )
    if _unpacked_size(file, set(schema.names)) > MOST_TABLE_BYTES:
        raise _too_large(path)


def _unpacked_size(file: pq.ParquetFile, names: set[str]) -> int:
    groups = [file.metadata.row_group(group) for group in range(file.metadata.num_row_groups)]
    whole: int = sum(group.total_byte_size for group in groups)
    if whole <= MOST_TABLE_BYTES:
        return whole  # a damaged column's own figures would end the process, in Arrow
    columns = (group.column(column) for group in groups for column in range(group.num_columns))
    return sum(
        column.total_uncompressed_size
        for column in columns
        if column.path_in_schema.partition(".")[0] in names
    )


def _too_large(path: Path) -> UserError:
    return UserError(f"{path}: holds more than {MOST_TABLE_BYTES:,} bytes; divide it into several.")


def _inner_types(kind: pa.DataType) -> list[pa.DataType]:
    return [kind.field(place).type for place in range(kind.num_fields)]


def _holds_numbers(kind: pa.DataType) -> bool:
    """Whether there are numbers of values anywhere in a type, as a dictionary has them."""
    return pa.types.is_dictionary(kind) or any(map(_holds_numbers, _inner_types(kind)))


def _written_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with every value in its place where a column holds numbers of values."""
    for index, column in enumerate(batch.columns):
        if isinstance(column, pa.DictionaryArray):
            name = batch.schema.names[index]
            batch = batch.set_column(index, name, column.dictionary_decode())
    return batch
