"""How many seeds it takes to tell the differences that were declared to be worth knowing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

from samr1.config.studies import Power
from samr1.report.tables.differences import LEVEL, Comparisons
from samr1.report.tables.markdown import EMPTY, aligned_table, percent


def seeds_needed(deviation: float, difference: float, probability: float) -> int:
    """Seeds after which a paired test of p ≤ 0.05 finds `difference` with `probability`.

    n = ((z(1 − p/2) + z(probability)) · deviation / difference)² + z(1 − p/2)² / 2, rounded up: the
    sample of a t-test as Guenther (1981) corrects the normal one. `deviation` is that of the
    paired difference from seed to seed, in the unit of `difference`.

    >>> seeds_needed(0.013, 0.015, 0.8)
    8
    """
    normal = NormalDist()
    beyond = normal.inv_cdf(1 - LEVEL / 2)
    ratio = (beyond + normal.inv_cdf(probability)) * deviation / difference
    return max(2, math.ceil(ratio**2 + beyond**2 / 2))


def list_power(
    pairs: Sequence[tuple[str, str]],
    benchmarks: Sequence[str],
    labels: Mapping[str, str],
    found: Comparisons,
    power: Power,
) -> str:
    """What was declared, and by pair (run, baseline) the deviation and the seeds that it asks for.

    On every benchmark: a difference deviates otherwise on each.
    """
    columns = [(metric, name) for metric in power.differences for name in benchmarks]

    def ask(run: str, baseline: str, metric: str, benchmark: str) -> str:
        row = found.find(run, baseline, benchmark, metric)
        if row is None or len(row["seeds"]) < power.pilot:
            return EMPTY
        deviation, difference = row["sd_over_seeds"], power.differences[metric]
        return f"{percent(deviation)}: {seeds_needed(deviation, difference, power.probability)}"

    declared = ", ".join(
        f"{percent(value)} points `{metric}`" for metric, value in power.differences.items()
    )
    rows = [
        [f"`{run}` − `{baseline}`", *(ask(run, baseline, *column) for column in columns)]
        for run, baseline in pairs
    ]
    shown = [row for row in rows if any(cell != EMPTY for cell in row[1:])]
    text = (
        "Declared before the studies were run (`config/studies.yaml`): the smallest differences "
        f"worth knowing are {declared}, to be found with a probability of {power.probability:g} "
        f"at p ≤ {LEVEL} of a paired t-test over seeds, before any correction. Below: the "
        "deviation of the paired difference from seed to seed, in points, over the seeds that are "
        f"there (at least the {power.pilot} of a pilot), and the seeds that it asks for. A "
        "deviation of so few is itself uncertain (of ten, 0.7 to 1.8 times it), and "
        "the seeds go by its square. The intervals of this page hold the images' noise too, and "
        "so ask for some more: other seeds lessen what of it is each training's own, and not what "
        "the images favour in one setting whatever the seed."
    )
    if not shown:
        return f"{text}\n\nNo pair of runs has the {power.pilot} seeds of a pilot yet."
    header = ["Difference", *(f"`{metric}`, {labels[name]}" for metric, name in columns)]
    return f"{text}\n\n{aligned_table(header, shown)}"
