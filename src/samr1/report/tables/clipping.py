"""Below Table 5: how often each run's clipping acted, and which runs came out identical.

Two small updates may never take a probability ratio to a bound; then the runs of a clipping
ablation are one run under several names, and the table must say so.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pyarrow as pa

from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.report.tables.layout import Record, table_benchmarks
from samr1.report.tables.markdown import aligned_table
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import Addition
from samr1.report.tables.published import Table

_BOUNDS = ("clip_fraction_low", "clip_fraction_high")
_NAMES = ("run", "seed")  # columns that say whose a file is; not compared


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


def clipping(table: Table, files: Sequence[Path], measurements: Measurements) -> Addition:
    """Each run's mean clip fractions over its steps (and seeds), and the identical runs.

    Raises UserError where a run of the table has no training metrics.
    """
    runs = [row.run for row in table.rows if row.run]
    trainings = [training for training in read_training(files) if training.run in runs]
    rows: list[list[str]] = []
    records: list[Record] = []
    idle: list[str] = []
    for run in runs:
        own = [training for training in trainings if training.run == run]
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
            idle.append(run)
    twins = identical_runs(trainings, _scores_by_run(table, runs, measurements))
    blocks = [
        "Clip fractions of the runs above: the share of tokens (%) whose ratio was clipped at the "
        "lower bound (advantage below 0) and the upper (advantage above 0). Mean over steps and "
        "their updates; in the first update of a step every ratio is 1:\n",
        aligned_table(["Run", "steps", "clipped low %", "clipped high %"], rows),
        *_idle_notes(idle),
        *_twin_notes(twins),
    ]
    return Addition(tuple(blocks), tuple(records), {"identical_runs": json.dumps(twins)})


Scores = Mapping[int, tuple[object, ...]]  # seed -> every figure of the run in the table


def identical_runs(
    trainings: Sequence[Training], scores: Mapping[str, Scores]
) -> list[tuple[str, str, str]]:
    """Pairs of runs that are the same, and in what: `training` before `benchmarks`.

    Training: with one seed, every column but the run's name is the same in every step.
    Benchmarks: with one seed, every measured figure of the table is the same to the last bit.
    """
    pairs: dict[tuple[str, str], str] = {}
    for (run, own), (other, theirs) in combinations(sorted(scores.items()), 2):
        if any(own[seed] == theirs[seed] for seed in own.keys() & theirs.keys()):
            pairs[run, other] = "benchmarks"
    for one, two in combinations(trainings, 2):
        if one.run != two.run and one.seed == two.seed and _columns(one) == _columns(two):
            pairs[one.run, two.run] = "training"
    return [(run, other, what) for (run, other), what in sorted(pairs.items())]


def _columns(training: Training) -> dict[str, str]:
    """Every compared column as text, in which a NaN equals itself."""
    names = [name for name in training.steps.column_names if name not in _NAMES]
    return {name: repr(training.steps[name].to_pylist()) for name in sorted(names)}


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


def _scores_by_run(
    table: Table, runs: Sequence[str], measurements: Measurements
) -> dict[str, Scores]:
    keys = [
        (benchmark, protocol, metric)
        for benchmark in table_benchmarks(table)
        for protocol in table.protocols
        for metric in ("giou", "ciou", "unparseable")
    ]
    return {run: measurements.values(run, keys) for run in runs}


def _idle_notes(idle: Sequence[str]) -> list[str]:
    if not idle:
        return []
    names = ", ".join(f"`{run}`" for run in idle)
    return [f"⚠ No token ever reached a clipping bound in {names}: clipping had no effect there.\n"]


def _twin_notes(twins: Sequence[tuple[str, str, str]]) -> list[str]:
    how = {
        "training": "have the same training metrics in every step",
        "benchmarks": "have the same figures on every benchmark of the table",
    }
    notes = [
        f"⚠ **Identical runs**: `{run}` and `{other}` {how[what]}; between them the ablation shows "
        "nothing.\n"
        for run, other, what in twins
    ]
    return notes or ["No two of these runs came out identical.\n"]
