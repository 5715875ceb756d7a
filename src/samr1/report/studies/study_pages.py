"""What the pages of the sweep and the long trainings hold: figures over seeds, and curves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from samr1.config.published import Column
from samr1.core.files import read_table
from samr1.report.studies.study_data import StudyData
from samr1.report.tables.layout import Record, measured_fields
from samr1.report.tables.markdown import EMPTY, aligned_table, measured_cell
from samr1.report.tables.measured import Estimate, Measurements
from samr1.report.tables.page import Addition

_PROTOCOL = "seg_zero"
_SPANS = 12  # rows of the curves' table
CURVES = ("reward_total", "iou", "kl")
_CURVE_LABELS = {"reward_total": "reward", "iou": "IoU", "kl": "KL"}

# One row a step of a training.
CURVE = pa.schema(
    [("run", pa.string()), ("seed", pa.int32()), ("step", pa.int32())]
    + [(name, pa.float64()) for name in CURVES]
)


@dataclass(frozen=True)
class Trained:
    """A run of the studies as its tables name it, and how large its training is."""

    run: str
    samples: int
    steps: int


def measured_rows(
    trained: Sequence[Trained],
    columns: Sequence[Column],
    data: StudyData,
    labels: Mapping[str, str],
) -> Addition:
    """The figures of each run over the seeds that are there; an empty row where none is.

    `labels` are the benchmarks' names as readers know them.
    """
    measurements = Measurements(data.metrics([one.run for one in trained]))
    rows, records = [], []
    for one in trained:
        seeds = data.seeds(one.run)
        cells = [EMPTY] * len(columns)
        if seeds:
            found = [
                measurements.get(one.run, column.benchmark, _PROTOCOL, column.metric or "")
                for column in columns
            ]
            cells = [measured_cell(figure) for figure in found]
            records += [_record(one.run, *pair) for pair in zip(columns, found, strict=True)]
        size = [f"{one.samples:,}", f"{one.steps:,}"]
        rows.append([f"`{one.run}`", *size, *cells, str(len(seeds)) if seeds else EMPTY])
    counts = {
        benchmark: measurements.get(one.run, benchmark, _PROTOCOL, "giou").n
        for one in trained
        if data.seeds(one.run)
        for benchmark in data.benchmarks
    }
    n = ", ".join(f"{labels[name]} {count:,}" for name, count in counts.items())
    header = ["Run", "samples", "steps", *(column.label for column in columns), "seeds"]
    note = f"n: {n}.\n" if counts else "Nothing of it is there yet.\n"
    return Addition((aligned_table(header, rows), note), tuple(records))


def _record(run: str, column: Column, figure: Estimate) -> Record:
    return {
        "row": run,
        "run": run,
        "benchmark": column.benchmark,
        "metric": column.metric,
        "protocol": _PROTOCOL,
        **measured_fields(figure),
    }


def read_curves(runs: Sequence[str], data: StudyData) -> pa.Table:
    """Reward, IoU and KL of every step of `runs`, at the seeds that are there, as rows of CURVE."""
    rows = []
    for run in runs:
        for seed in data.seeds(run):
            steps = read_table(data.training(run, seed)).select(["step", *CURVES]).to_pylist()
            rows += [{"run": run, "seed": seed, **step} for step in steps]
    return pa.Table.from_pylist(rows, CURVE)


def curves_table(curves: pa.Table) -> str:
    """Means over spans of steps and their deviation over seeds; as Markdown."""
    by_run: dict[str, dict[int, list[dict[str, float]]]] = {}
    for row in curves.to_pylist():
        by_run.setdefault(row["run"], {}).setdefault(row["seed"], []).append(row)
    if not by_run:
        return "Nothing of it is there yet.\n"
    longest = max(len(steps) for seeds in by_run.values() for steps in seeds.values())
    width = -(-longest // _SPANS)
    starts = range(0, longest, width)
    header = ["Steps", *(f"`{run}` {_CURVE_LABELS[name]}" for run in by_run for name in CURVES)]
    rows = [
        [
            f"{start + 1}–{min(start + width, longest)}",
            *(
                _span_cell([steps[start : start + width] for steps in seeds.values()], name)
                for seeds in by_run.values()
                for name in CURVES
            ),
        ]
        for start in starts
    ]
    return aligned_table(header, rows)


def _span_cell(steps_of_seeds: Sequence[Sequence[dict[str, float]]], name: str) -> str:
    means = [statistics.fmean(s[name] for s in steps) for steps in steps_of_seeds if steps]
    if not means:
        return EMPTY
    spread = f" ± {statistics.stdev(means):.2f}" if len(means) > 1 else ""
    return f"{statistics.fmean(means):.2f}{spread}"
