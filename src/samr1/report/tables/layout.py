"""The rows of a table: published methods, and our runs in the same row or in one of their own.

At a scale of the paper's models and data a run stands beside the paper's figures for the same
method. At any other it has a row of its own, so that nobody reads a figure of the micro world, or
of adapters on one card, as a repetition of the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from samr1.config.baselines import Baseline
from samr1.config.names import BASE
from samr1.config.published import Table, TableStage
from samr1.report.tables.measured import Estimate, Measurements

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
UNPARSEABLE = "unparseable"

Record = dict[str, Any]  # one row of TABLE; absent keys are null
Figures = dict[tuple[str, str, str], Estimate]  # by protocol, benchmark and metric


@dataclass(frozen=True)
class Addition:
    """What a table says below its rows: Markdown blocks, and the same as rows of TABLE."""

    blocks: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()

    def __add__(self, other: Addition) -> Addition:
        return Addition(self.blocks + other.blocks, self.records + other.records)


@dataclass(frozen=True)
class TableRow:
    """One row of a table: what the paper printed (column key -> percent), and the run beside it."""

    name: str
    run: str | None
    published: Mapping[str, float] = field(default_factory=dict)
    source: str | None = None
    partial: bool = False  # benchmarks that the run was not scored on are left empty
    measured: Figures = field(default_factory=dict)


def arrange_rows(stage: TableStage, measurements: Measurements) -> list[TableRow]:
    """The rows in order: the paper's, the base policy, the runs that stand apart, others'.

    Raises UserError where a run lacks a figure that it must have.
    """
    table, comparable = stage.table, stage.comparable

    def is_scored(run: str) -> bool:
        return any(measurements.has(run, benchmark) for benchmark in table.benchmarks)

    scored = {name: one for name, one in stage.baselines.items() if is_scored(name)}
    rows: list[TableRow] = []
    for row in table.rows:
        run = row.run if comparable else None
        beside = next((name for name, one in scored.items() if row.method in one.method), None)
        if comparable and run is None and beside is not None:
            name = label_baseline(row.method, scored.pop(beside))
            rows.append(TableRow(name, beside, row.figures, row.source, partial=True))
        else:
            rows.append(TableRow(row.method, run, row.figures, row.source))
    rows.append(TableRow(f"Base {'micro ' if stage.drawn else ''}policy, no training", BASE))
    if not comparable:
        whose = "micro policy" if stage.drawn else f"scale {stage.scale}"
        rows += [
            TableRow(f"{row.measured_as or row.method}, {whose}", row.run)
            for row in table.rows
            if row.run
        ]
    rows += [TableRow(one.name, one.run, partial=True) for one in table.extra if is_scored(one.run)]
    rows += [
        TableRow(label_baseline(one.label, one), name, partial=True) for name, one in scored.items()
    ]
    return [_measure_row(table, row, measurements) for row in rows]


def label_baseline(name: str, baseline: Baseline) -> str:
    """The name of a baseline's row, which says where they are not our own predictions."""
    return f"{name} (measured from files)" if baseline.predictions else name


def _measure_row(table: Table, row: TableRow, measurements: Measurements) -> TableRow:
    columns = [(one.benchmark, one.metric) for one in table.columns.values() if one.metric]
    columns += [(benchmark, UNPARSEABLE) for benchmark in table.benchmarks]
    found: Figures = {
        (protocol, benchmark, metric): measurements.get(row.run, benchmark, protocol, metric)
        for protocol in table.protocols
        for benchmark, metric in columns
        if row.run and (not row.partial or measurements.has(row.run, benchmark))
    }
    return replace(row, measured=found)


def list_records(table: Table, rows: Sequence[TableRow]) -> list[Record]:
    """The rows of TABLE: what was printed and what was measured, line by line."""
    records: list[Record] = []
    for row in rows:
        for protocol in table.protocols if row.run else table.protocols[:1]:
            main = protocol == table.protocols[0]
            cells = [
                (one.benchmark, one.metric or "unstated", row.published.get(key) if main else None)
                for key, one in table.columns.items()
            ]
            cells += [(benchmark, UNPARSEABLE, None) for benchmark in table.benchmarks]
            for benchmark, metric, printed in cells:
                figure = row.measured.get((protocol, benchmark, metric))
                found: Record = {}
                if printed is not None:
                    found |= {"published": printed / 100, "published_source": row.source}
                if figure is not None:
                    found |= {"protocol": protocol, **measured_fields(figure)}
                place = {"row": row.name, "run": row.run, "benchmark": benchmark, "metric": metric}
                if found:
                    records.append(place | found)
    return records


def measured_record(
    name: str, run: str, benchmark: str, metric: str | None, protocol: str, figure: Estimate
) -> Record:
    """A figure of `run`, whose row is `name`, that was measured and is not published: of TABLE."""
    place = {"row": name, "run": run, "benchmark": benchmark, "metric": metric}
    return {**place, "protocol": protocol, **measured_fields(figure)}


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
