"""The lines of a table: published methods, and our runs in the same row or in one of their own.

At paper scale a run stands beside the paper's figures for the same method. At any other scale it
has a row of its own, so that nobody reads a figure of the micro world as a repetition of the
paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from samr1.config.baselines import Baseline
from samr1.report.tables.measured import Estimate, Measurements
from samr1.report.tables.published import Scale, Table

BASE = "base"

BENCHMARK_LABELS = {
    "reasonseg_val": "ReasonSeg val",
    "reasonseg_test": "ReasonSeg test",
    "refcoco_testa": "RefCOCO testA",
    "refcocop_testa": "RefCOCO+ testA",
    "refcocog_test": "RefCOCOg test",
    "lisa_grounding": "LISA-Grounding",
}

# Long form, one row a figure, all in 0–1. `published` stands once, in the row of the table's first
# protocol; `measured`, its interval, `seeds` and `n` are null in other people's rows. The interval
# `ci_*` is over images and seeds, `image_ci_*` over images alone; `p_corrected` is of differences.
TABLE = pa.schema(
    [
        ("table", pa.string()),
        ("row", pa.string()),
        ("run", pa.string()),
        ("benchmark", pa.string()),
        ("metric", pa.string()),
        ("protocol", pa.string()),
        ("published", pa.float64()),
        ("published_source", pa.string()),
        ("measured", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("sd_over_seeds", pa.float64()),
        ("image_ci_low", pa.float64()),
        ("image_ci_high", pa.float64()),
        ("p_corrected", pa.float64()),
        ("seeds", pa.list_(pa.int32())),
        ("n", pa.int32()),
    ]
)

Record = dict[str, Any]  # one row of TABLE; absent keys are null


@dataclass(frozen=True)
class TableRow:
    """One row of a table: what the paper printed (column key -> percent), and the run beside it."""

    name: str
    published: Mapping[str, float]
    source: str | None
    run: str | None
    partial: bool = False  # benchmarks that the run was not scored on are left empty

    def figure(
        self, measurements: Measurements, benchmark: str, protocol: str, metric: str
    ) -> Estimate | None:
        """What its run measured, or None; raises UserError where it must have been measured."""
        if self.run is None or (self.partial and not measurements.has(self.run, benchmark)):
            return None
        return measurements.get(self.run, benchmark, protocol, metric)


@dataclass(frozen=True)
class Measured:
    """What there is to show besides the base policy.

    `runs` are those that the configuration has; None is every one that a row names. `baselines` are
    other people's systems, by name.
    """

    runs: tuple[str, ...] | None = None
    baselines: Mapping[str, Baseline] = field(default_factory=dict)

    def run_of(self, name: str | None) -> str | None:
        """`name` where there is such a run."""
        return name if self.runs is None or name in self.runs else None


def arrange_lines(
    table: Table, scale: Scale, measurements: Measurements, measured: Measured
) -> list[TableRow]:
    """The table's rows in order: the paper's, the base policy, runs of another scale, others'."""
    at_paper = scale == "paper"

    def is_scored(run: str) -> bool:
        return any(measurements.has(run, benchmark) for benchmark in table_benchmarks(table))

    scored = {name: one for name, one in measured.baselines.items() if is_scored(name)}
    lines: list[TableRow] = []
    for row in table.rows:
        run = measured.run_of(row.run) if at_paper and scale in row.scales else None
        beside = next((name for name, one in scored.items() if row.method in one.method), None)
        if at_paper and run is None and beside is not None:
            name = label_baseline(row.method, scored.pop(beside))
            lines.append(TableRow(name, row.figures, row.source, beside, partial=True))
        else:
            lines.append(TableRow(row.method, row.figures, row.source, run))
    name = "Base policy, no training" if at_paper else "Base micro policy, no training"
    lines.append(TableRow(name, {}, None, BASE))
    if not at_paper:
        lines += [
            TableRow(f"{row.measured_as or row.method}, micro policy", {}, None, row.run)
            for row in table.rows
            if row.run and scale in row.scales
        ]
    lines += [
        TableRow(row.name, {}, None, row.run, partial=True)
        for row in table.extra
        if scale in row.scales and is_scored(row.run)
    ]
    return lines + [
        TableRow(label_baseline(baseline.label, baseline), {}, None, name, partial=True)
        for name, baseline in scored.items()
    ]


def label_baseline(name: str, baseline: Baseline) -> str:
    """The name of a baseline's row, which says where they are not our own predictions."""
    return f"{name} (measured from files)" if baseline.predictions else name


def table_benchmarks(table: Table) -> list[str]:
    """The benchmarks of the table's columns, each once, in their order."""
    return list(dict.fromkeys(column.benchmark for column in table.columns.values()))


def line_records(
    name: str, table: Table, lines: Sequence[TableRow], measurements: Measurements
) -> list[Record]:
    """The rows of TABLE for `lines`; raises UserError where a run lacks a figure it must have."""
    records: list[Record] = []
    for line in lines:
        for protocol in table.protocols if line.run else table.protocols[:1]:
            main = protocol == table.protocols[0]
            for key, column in table.columns.items():
                printed = line.published.get(key) if main else None
                if printed is None and (line.run is None or column.metric is None):
                    continue
                record: Record = {
                    "table": name,
                    "row": line.name,
                    "run": line.run,
                    "benchmark": column.benchmark,
                    "metric": column.metric or "unstated",
                }
                if printed is not None:
                    record |= {"published": printed / 100, "published_source": line.source}
                figure = column.metric and line.figure(
                    measurements, column.benchmark, protocol, column.metric
                )
                if figure:
                    record |= {"protocol": protocol, **measured_fields(figure)}
                elif printed is None:
                    continue
                records.append(record)
            if line.run:
                records += _unparseable_records(name, table, line, protocol, measurements)
    return records


def _unparseable_records(
    name: str, table: Table, line: TableRow, protocol: str, measurements: Measurements
) -> list[Record]:
    figures = {
        benchmark: line.figure(measurements, benchmark, protocol, "unparseable")
        for benchmark in table_benchmarks(table)
    }
    return [
        {
            "table": name,
            "row": line.name,
            "run": line.run,
            "benchmark": benchmark,
            "metric": "unparseable",
            "protocol": protocol,
            **measured_fields(figure),
        }
        for benchmark, figure in figures.items()
        if figure is not None
    ]


def measured_fields(figure: Estimate) -> Record:
    """A measured figure as fields of TABLE."""
    return {
        "measured": figure.value,
        "ci_low": figure.ci_low,
        "ci_high": figure.ci_high,
        "sd_over_seeds": figure.sd,
        "image_ci_low": figure.image_bounds[0],
        "image_ci_high": figure.image_bounds[1],
        "seeds": list(figure.seeds),
        "n": figure.n,
    }
