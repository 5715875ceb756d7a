"""Below Table 5: how often each run's clipping acted.

Two small updates may never take a probability ratio to a bound; then the runs of a clipping
ablation are one run under several names, and the table must say so.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from samr1.config.published import Table
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.report.tables.layout import Record
from samr1.report.tables.markdown import aligned_table
from samr1.report.tables.page import Addition

_BOUNDS = ("clip_fraction_low", "clip_fraction_high")


@dataclass(frozen=True)
class Training:
    """The training metrics of one run and seed: a row a step."""

    run: str
    seed: str  # the file's name without its ending, `seed_{seed}`
    steps: pa.Table
    path: Path


def read_training(files: Sequence[Path]) -> list[Training]:
    """Read training metrics; the run is named by the file's metadata, else by its folder.

    Raises UserError where a file is missing, empty, or lacks the clip fractions.
    """
    trainings = []
    for path in dict.fromkeys(files):
        steps = read_table(path)
        missing = [name for name in _BOUNDS if name not in steps.column_names]
        if missing or steps.num_rows == 0:
            what = f"lacks the column {missing[0]!r}" if missing else "has no step"
            raise UserError(f"{path}: {what}; give the metrics that train_policy wrote.")
        run = (steps.schema.metadata or {}).get(b"run", path.parent.name.encode()).decode()
        trainings.append(Training(run, path.stem, steps, path))
    return sorted(trainings, key=lambda training: (training.run, training.seed))


def clipping(table: Table, files: Sequence[Path]) -> Addition:
    """The mean clip fractions of each trained run of `table` over its steps (and seeds).

    Raises UserError where the run of a row has no training metrics.
    """
    trainings, of_rows = read_training(files), [row.run for row in table.rows]
    rows: list[list[str]] = []
    records: list[Record] = []
    idle: list[str] = []
    for run in table.labels:
        own = [training for training in trainings if training.run == run]
        if not own and run not in of_rows:
            continue
        if not own:
            raise UserError(
                f"no training metrics of run {run!r} among the training files; train it and give "
                "its file."
            )
        fractions = {bound: _mean_over_steps(own, bound) for bound in _BOUNDS}
        steps = " / ".join(str(count) for count in sorted({t.steps.num_rows for t in own}))
        rows.append([f"`{run}`", steps, *(f"**{100 * fractions[b]:.4f}**" for b in _BOUNDS)])
        records += [
            {"row": run, "run": run, "benchmark": "training", "metric": bound, "measured": value}
            for bound, value in fractions.items()
        ]
        if not any(fractions.values()):
            idle.append(f"`{run}`")
    blocks = [
        "Clip fractions of the runs above: the share of tokens (%) whose ratio was clipped at the "
        "lower bound (advantage below 0) and the upper (advantage above 0). Mean over steps and "
        "their updates; in the first update of a step every ratio is 1:\n",
        aligned_table(["Run", "steps", "clipped low %", "clipped high %"], rows),
    ]
    if idle:
        blocks.append(
            f"⚠ No token ever reached a clipping bound in {', '.join(idle)}: clipping had no "
            "effect there.\n"
        )
    return Addition(tuple(blocks), tuple(records))


def _mean_over_steps(trainings: Sequence[Training], column: str) -> float:
    means = []
    for training in trainings:
        values = [value for value in training.steps[column].to_pylist() if value is not None]
        if not values:
            raise UserError(
                f"{training.path}: column {column!r} is empty in every step; train the run again."
            )
        means.append(statistics.fmean(values))
    return statistics.fmean(means)
