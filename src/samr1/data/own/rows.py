"""The rows of a table in CSV, JSON lines or Parquet, each with its place as a person counts it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from samr1.core.errors import ON_INPUT, UserError, refusing
from samr1.core.reading import (
    MOST_TABLE_BYTES,
    check_file,
    find_delimiter,
    find_encoding,
    find_twice,
    open_parquet,
    parse_json,
    read_columns,
)
from samr1.data.bad_samples import BadSamples
from samr1.data.own.folders import REMEDY

Row = dict[str, Any]
Placed = Iterator[tuple[str, Row]]  # each row behind its place

_QUOTES = "save it again, with quotes around texts"
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_MOST_CHARACTERS = 10_000_000  # of a line or cell: the polygons of the largest have thousands
_MOST_LINES = 1_000_000
_MOST_COLUMNS = 1_000
_MOST_VALUES = 2_000_000  # of a line: parsed, each takes up to a hundred bytes
_ROWS_AT_ONCE = 32


def read_rows(path: Path, wanted: Sequence[str], bad: BadSamples) -> tuple[list[str], Placed]:
    """The columns of a table, and its rows with their places; blank lines are none.

    Of Parquet only the columns `wanted` are read. A row of CSV is counted as spreadsheets do, the
    header being row 1; of JSON lines by its line, of Parquet from 1 on. A row that is none goes to
    `bad`. Raises UserError where the file cannot be read, here or at a row.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(f"{path}: a table is {', '.join(_SUFFIXES)}; save it as one of these.")
    if path.suffix.lower() == ".parquet":
        columns = open_parquet(path, REMEDY).schema_arrow.names
        _check_columns(path, columns)
        return columns, _list_rows(path, read_columns(path, wanted, REMEDY))
    check_file(path, MOST_TABLE_BYTES, REMEDY)
    with refusing(f"{path}: no text in UTF-8", "save it so", ON_INPUT):
        encoding = find_encoding(path)
    if path.suffix.lower() == ".jsonl":
        # Twice through: which columns there are is known at the end, and all rows are too much.
        first = BadSamples(bad.on_bad_sample)
        keys = dict[str, None]()
        for _, row in _read_json_lines(path, encoding, first):
            keys |= dict.fromkeys(row)
            _check_columns(path, keys)
        if not keys:
            first.report(0, str(path))
        return list(keys), _read_json_lines(path, encoding, bad)
    return _read_csv(path, encoding, bad)


def _check_columns(path: Path, columns: Collection[str]) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise UserError(f"{path}: has more than {_MOST_COLUMNS:,} columns; leave out all others.")


def _read_lines(path: Path, encoding: str, newline: str) -> Iterator[str]:
    """The lines of a text, one by one; raises ValueError where one is too long, or at too many."""
    with path.open(encoding=encoding, newline=newline) as file:
        for number in count(1):
            line = file.readline(_MOST_CHARACTERS + 1)
            if not line:
                return
            if len(line) > _MOST_CHARACTERS:
                raise ValueError(f"a line of more than {_MOST_CHARACTERS:,} characters")
            if number > _MOST_LINES:
                raise ValueError(f"more than {_MOST_LINES:,} lines")
            yield line


def _list_rows(path: Path, table: pa.Table) -> Placed:
    number = 0
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        with refusing(f"{path}: its rows cannot be read", "write it again"):
            rows = batch.to_pylist()
        for row in rows:
            number += 1
            yield f"row {number}", row


def _check_values(line: str) -> str:
    if max(map(line.count, ",;\t")) > _MOST_VALUES:
        raise ValueError(f"a line of more than {_MOST_VALUES:,} values")
    return line


def _read_json_lines(path: Path, encoding: str, bad: BadSamples) -> Placed:
    lines = _read_lines(path, encoding, "\n")
    for number in count(1):
        with refusing(f"{path}: not JSON lines", "write one object a line", ON_INPUT):
            line = next(lines, None)
        if line is None:
            return
        if not line.strip():
            continue
        with bad.catching(f"{path}, line {number}"):
            with refusing("not a line of JSON", "write one object a line", ON_INPUT):
                row = parse_json(_check_values(line))
            if not isinstance(row, dict):
                raise UserError("not a JSON object; write one object a line.")
            yield f"line {number}", row


def _read_csv(path: Path, encoding: str, bad: BadSamples) -> tuple[list[str], Placed]:
    with refusing(f"{path}: not a readable CSV file", _QUOTES, ON_INPUT):
        lines = _read_lines(path, encoding, "")
        header = next((line for line in lines if line.strip("\r\n")), "")
    checked = map(_check_values, _read_lines(path, encoding, ""))
    records = _list_records(
        path, csv.reader(checked, delimiter=find_delimiter(header), strict=True)
    )
    _, first = next(records, (0, []))
    if not first:
        raise UserError(f"{path}: is empty; write a header and a row a question.")
    columns = [name.strip() for name in first]
    _check_columns(path, columns)
    if twice := find_twice(filter(None, columns)):
        raise UserError(f"{path}: has the column {twice!r} twice; keep one of them.")
    return columns, _fit_rows(path, columns, records, bad)


def _list_records(path: Path, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV file but for blank ones, with their numbers."""
    for number in count(1):
        refused = refusing(f"{path}: not a readable CSV file", _QUOTES, (csv.Error, *ON_INPUT))
        with refused, _wide_cells():
            record = next(reader, None)
        if record is None:
            return
        if any(map(str.strip, record)):
            yield number, record


@contextmanager
def _wide_cells() -> Iterator[None]:
    """Let a cell of CSV be as long as polygons are; the limit is the whole process's."""
    before = csv.field_size_limit(_MOST_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _fit_rows(
    path: Path, columns: list[str], records: Iterator[tuple[int, list[str]]], bad: BadSamples
) -> Placed:
    for number, cells in records:
        with bad.catching(f"{path}, row {number}"):
            if len(cells) != len(columns):
                raise UserError(
                    f"has {len(cells)} cells and the header {len(columns)}; put quotes around "
                    "texts with commas."
                )
            yield f"row {number}", dict(zip(columns, cells, strict=True))
