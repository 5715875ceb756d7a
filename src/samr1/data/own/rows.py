"""The rows of a table in CSV, JSON lines or Parquet, each with its place as a person counts it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError, refusing
from samr1.core.reading import MOST_TABLE_BYTES, decode_text, read_bytes, read_columns
from samr1.data.bad_samples import BadSamples

Row = dict[str, Any]

_REMEDY = "correct `root` or `file` of the data set"
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_MOST_CHARACTERS = 50_000_000  # of a cell: the polygons of the largest object have thousands


def read_rows(path: Path, bad: BadSamples) -> tuple[list[str], Iterator[tuple[str, Row]]]:
    """The columns of a table, and its rows with their places; blank lines are none.

    A row of CSV is counted as spreadsheets do, the header being row 1; of JSON lines by its line,
    of Parquet from 1 on. A row that is none goes to `bad`. Raises UserError where the file cannot
    be read.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(f"{path}: a table is {', '.join(_SUFFIXES)}; save it as one of these.")
    if path.suffix.lower() == ".parquet":
        table = read_columns(path, remedy=_REMEDY)
        with refusing(f"{path}: its rows cannot be read", "write it again"):
            rows = table.to_pylist()
        return table.column_names, ((f"row {n}", row) for n, row in enumerate(rows, start=1))
    data = read_bytes(path, MOST_TABLE_BYTES, _REMEDY)
    with refusing(f"{path}: no text in UTF-8", "save it so"):
        text = decode_text(data)
    if path.suffix.lower() == ".jsonl":
        lines = list(_read_lines(path, text, bad))
        return list(dict.fromkeys(key for _, row in lines for key in row)), iter(lines)
    return _read_csv(path, text, bad)


def _read_lines(path: Path, text: str, bad: BadSamples) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(text.split("\n"), start=1):  # a text may hold other ends of lines
        if not line.strip():
            continue
        with bad.catching(f"{path}, line {number}"):
            with refusing("not a line of JSON", "write one object a line"):
                row = json.loads(line)
            if not isinstance(row, dict):
                raise UserError("not a JSON object; write one object a line.")
            yield f"line {number}", row


def _read_csv(
    path: Path, text: str, bad: BadSamples
) -> tuple[list[str], Iterator[tuple[str, Row]]]:
    header = text.lstrip("\n").split("\n", 1)[0]
    # Spreadsheets put semicolons where the country's numbers have commas.
    delimiter = max(",;\t", key=header.count)
    remedy = "save it again, with quotes around texts"
    with refusing(f"{path}: not a readable CSV file", remedy), _wide_cells():
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    numbered = [(n, row) for n, row in enumerate(records, start=1) if any(map(str.strip, row))]
    if not numbered:
        raise UserError(f"{path}: is empty; write a header and a row a question.")
    columns = [name.strip() for name in numbered[0][1]]
    if twice := next((name for name in columns if name and columns.count(name) > 1), None):
        raise UserError(f"{path}: has the column {twice!r} twice; keep one of them.")
    return columns, _fit_rows(path, columns, numbered[1:], bad)


@contextmanager
def _wide_cells() -> Iterator[None]:
    """Let a cell of CSV be as long as polygons are; the limit is the whole process's."""
    before = csv.field_size_limit(_MOST_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _fit_rows(
    path: Path, columns: list[str], numbered: list[tuple[int, list[str]]], bad: BadSamples
) -> Iterator[tuple[str, Row]]:
    for number, cells in numbered:
        with bad.catching(f"{path}, row {number}"):
            if len(cells) != len(columns):
                raise UserError(
                    f"has {len(cells)} cells and the header {len(columns)}; put quotes around "
                    "texts with commas."
                )
            yield f"row {number}", dict(zip(columns, cells, strict=True))
