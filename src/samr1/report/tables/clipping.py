"""Below Table 5: how often each run's clipping acted.

Two small updates may never take a probability ratio to a bound; then the runs of a clipping
ablation are one run under several names, and the table must say so.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from samr1.config.published import Table
from samr1.core.errors import UserError
from samr1.report.tables.layout import Addition, Record
from samr1.report.tables.markdown import aligned_table
from samr1.report.trainings import read_trainings

CLIPPED = ("clip_fraction_low", "clip_fraction_high")


def clipping(table: Table, files: Sequence[Path]) -> Addition:
    """The mean clip fractions of each trained run of `table` over its steps (and seeds).

    Raises UserError where the run of a row has no training metrics.
    """
    trainings, of_rows = read_trainings(files, CLIPPED), [row.run for row in table.rows]
    lines: list[list[str]] = []
    records: list[Record] = []
    idle: list[str] = []
    for run in table.labels:
        own = trainings.get(run)
        if own is None and run in of_rows:
            raise UserError(
                f"no training metrics of run {run!r} among the training files; train it and give "
                "its file."
            )
        if own is None:
            continue
        fractions = {
            bound: statistics.fmean(statistics.fmean(seed[bound]) for seed in own)
            for bound in CLIPPED
        }
        steps = " / ".join(str(count) for count in sorted({len(seed) for seed in own}))
        cells = (f"**{100 * fraction:.4f}**" for fraction in fractions.values())
        lines.append([f"`{run}`", steps, *cells])
        records += [
            {"row": run, "run": run, "benchmark": "training", "metric": bound, "measured": value}
            for bound, value in fractions.items()
        ]
        if not any(fractions.values()):
            idle.append(f"`{run}`")
    blocks = [
        "Clip fractions of the runs above: the share of tokens (%) whose ratio was clipped at the "
        "lower bound (advantage below 0) and the upper (advantage above 0). Mean over steps and "
        "their updates; in the first update of a step every ratio is 1:",
        aligned_table(["Run", "steps", "clipped low %", "clipped high %"], lines),
    ]
    if idle:
        blocks.append(
            f"⚠ No token ever reached a clipping bound in {', '.join(idle)}: clipping had no "
            "effect there."
        )
    return Addition(tuple(blocks), tuple(records))
