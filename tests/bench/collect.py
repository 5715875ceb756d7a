"""All records of a bench into one table (Parquet) and one page (Markdown)."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from record import Measurement, Record

from samr1.core.files import atomic_file, write_table
from samr1.report.tables.markdown import EMPTY, aligned_table

ENGINE = pa.schema(
    [
        ("figure", pa.string()),
        ("ours", pa.float64()),
        ("theirs", pa.float64()),
        ("unit", pa.string()),
        ("ratio", pa.float64()),  # larger is better
        ("bar", pa.float64()),
        ("against", pa.string()),
        ("machine", pa.string()),
        ("date", pa.string()),
    ]
)

INTRODUCTION = """\
Medians; what is compared was measured in turn, on one machine in one run. A ratio is theirs / ours
for times and memory and ours / theirs for rates, so that larger is better. All in float32, with
random weights where nothing else is said. Whose "theirs" is, the last column says.

The two trainers keep their models in a process each, with the same torch and transformers
(`envs/README.md`), and take a step when told, one while the other waits. A step is: encode picture
and question, roll out, reward, the reference's log-probabilities, the updates. Peak memory is the
most that such a process ever had resident, and the same less what it had after its imports.
"""


def to_table(records: Sequence[Record]) -> pa.Table:
    """One row a figure: its medians, their ratio, and where and when it was measured."""
    rows = [
        {
            "figure": figure.figure,
            "ours": statistics.median(figure.ours),
            "theirs": statistics.median(figure.theirs) if figure.theirs else None,
            "unit": figure.unit,
            "ratio": figure.ratio,
            "bar": figure.bar,
            "against": figure.against,
            "machine": record.machine,
            "date": record.date,
        }
        for record in records
        for figure in record.figures
    ]
    return pa.Table.from_pylist(rows, schema=ENGINE)


def to_page(records: Sequence[Record]) -> str:
    """The report: what is compared, what is not, and every setting."""
    figures = [figure for record in records for figure in record.figures]
    compared = [figure for figure in figures if figure.theirs]
    alone = [figure for figure in figures if not figure.theirs]
    where = {f"{record.date}, {record.machine}." for record in records}
    parts = [
        "# The engine, measured",
        *sorted(where),
        INTRODUCTION,
        "## Against others",
        aligned_table(
            ["figure", "ours", "theirs", "unit", "ratio", "bar", "reached", "against"],
            [_compared_row(figure) for figure in compared],
        ),
        "## Our step by itself",
        "Shares are of the step's time.",
        aligned_table(
            ["figure", "median", "unit", "least", "most", "repeats"],
            [_own_row(figure) for figure in alone],
        ),
        "## Settings and notes",
    ]
    for record in records:
        notes = json.dumps(record.notes, indent=1, ensure_ascii=False)
        parts += [f"### {record.name}", f"```json\n{notes}\n```"]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _compared_row(figure: Measurement) -> list[str]:
    ratio = figure.ratio
    assert ratio is not None
    bar = EMPTY if figure.bar is None else f"{figure.bar:g}"
    reached = EMPTY if figure.bar is None else ("yes" if ratio >= figure.bar else "no")
    return [
        figure.figure,
        f"{statistics.median(figure.ours):.4g}",
        f"{statistics.median(figure.theirs):.4g}",
        figure.unit,
        f"{ratio:.2f}",
        bar,
        reached,
        figure.against,
    ]


def _own_row(figure: Measurement) -> list[str]:
    numbers = [statistics.median(figure.ours), min(figure.ours), max(figure.ours)]
    median, least, most = [f"{number:.4g}" for number in numbers]
    return [figure.figure, median, figure.unit, least, most, str(len(figure.ours))]


def main() -> None:
    """Parse, load, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, nargs="+", required=True, help="records (JSON)")
    parser.add_argument("--table", type=Path, required=True, help="table to write (Parquet)")
    parser.add_argument("--page", type=Path, required=True, help="page to write (Markdown)")
    arguments = parser.parse_args()
    records = [Record.read(path) for path in arguments.records]
    write_table(arguments.table, to_table(records))
    with atomic_file(arguments.page) as temporary:
        temporary.write_text(to_page(records))


if __name__ == "__main__":
    main()
