"""Below a table: *what* and *how* apart, the share of the right object and the gIoU given it.

A benchmark whose images are annotated whole shows `right_object`, any other `right_point`
(`samr1.evaluation.right`); they are no figures of one kind, and every column says which it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from samr1.config.published import Column, Table
from samr1.evaluation.score import RIGHT
from samr1.report.tables.layout import Addition, Record, TableRow, measured_record
from samr1.report.tables.markdown import aligned_table, measured_cell
from samr1.report.tables.measured import Measurements

PROTOCOL = "seg_zero"
LABELS = {
    "right_object": "right object",
    "right_point": "right point",
    "giou_right": "gIoU if right",
    "giou_right_point": "gIoU if right",
}
_TEXT = (
    "*What* and *how* apart, protocol `seg_zero`: the share of answers that are of the right "
    "object, and the gIoU of those alone. **Right object**: of all annotated objects of the image, "
    "the answer's mask overlaps most, by IoU, with the one that is asked about. **Right point**, "
    "where the other objects are not annotated: the answer's point lies in the target (where it "
    "has none, its mask's innermost pixel). The two are not comparable with each other. An answer "
    "that cannot be read is wrong; questions without a target do not count:"
)

Has = Callable[[str, str], bool]  # benchmark, metric


def find_right(benchmark: str, has: Has) -> tuple[str, ...]:
    """The share that a benchmark shows and the gIoU given it; nothing where neither is known."""
    return next((pair for pair in RIGHT.items() if has(benchmark, pair[0])), ())


def right_columns(benchmarks: Sequence[str], labels: Mapping[str, str], has: Has) -> list[Column]:
    """These two as columns, of every benchmark that has them."""
    return [
        Column(label=f"{labels[benchmark]} {LABELS[name]}", benchmark=benchmark, metric=name)
        for benchmark in benchmarks
        for name in find_right(benchmark, has)
    ]


def list_right(
    table: Table, labels: Mapping[str, str], rows: Sequence[TableRow], measurements: Measurements
) -> Addition:
    """Both of the runs of `rows`; nothing where `table` does not show it, or nobody measured."""
    runs = {row.run: row.name for row in rows if row.run and table.right}
    columns = right_columns(
        table.benchmarks, labels, lambda *what: any(measurements.has(run, *what) for run in runs)
    )
    lines, records = [], list[Record]()
    for run, name in runs.items():
        found = [measurements.find(run, one.benchmark, PROTOCOL, one.metric) for one in columns]
        if any(found):
            lines.append([name, *map(measured_cell, found)])
        records += [
            measured_record(name, run, column.benchmark, column.metric, PROTOCOL, figure)
            for column, figure in zip(columns, found, strict=True)
            if figure
        ]
    if not lines:
        return Addition()
    header = ["Method", *(column.label for column in columns)]
    return Addition((_TEXT, aligned_table(header, lines)), tuple(records))
