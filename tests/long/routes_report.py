"""What the tests of the routes measured: a record each, and one page of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from setting import made_on
from snakemake_calls import ROOT

from samr1.core.files import atomic_file
from samr1.report.tables.markdown import aligned_table

RECORDS = ROOT / "results" / "long" / "routes"
PAGE = ROOT / "results" / "reference" / "routes.md"

INTRODUCTION = """\
The paper's configuration run to its tables on this machine: its files and rules, with less data and
smaller models. What each test of [`tests/long`](../../tests/long/test_routes.py) holds to be equal
is there; here is what it measured. No figure says how good a model is. Made by

    make test-long
"""


@dataclass(frozen=True)
class Record:
    """One test that passed: what it was, and its figures in words."""

    title: str
    text: str
    figures: dict[str, str]
    made_on: str


def forget(name: str) -> None:
    """Remove the record of an earlier run: what fails now leaves none."""
    (RECORDS / f"{name}.json").unlink(missing_ok=True)


def keep(name: str, title: str, text: str, figures: Mapping[str, object]) -> None:
    """Write a record, and the page anew."""
    words = {what: str(value) for what, value in figures.items()}
    record = Record(title, text, words, made_on())
    with atomic_file(RECORDS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n")
    records = [Record(**json.loads(path.read_text())) for path in sorted(RECORDS.glob("*.json"))]
    with atomic_file(PAGE) as temporary:
        temporary.write_text(write_page(records), encoding="utf-8")


def write_page(records: list[Record]) -> str:
    """The page of all records."""
    parts = ["# The paper's routes, end to end", INTRODUCTION.strip()]
    parts += sorted({f"{record.made_on}." for record in records})
    for record in records:
        table = aligned_table(["what", "measured"], [list(row) for row in record.figures.items()])
        parts += [f"## {record.title}", record.text, table]
    return "\n\n".join(parts) + "\n"
