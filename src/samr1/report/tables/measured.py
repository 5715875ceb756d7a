"""Measured figures: metrics.parquet files of any runs and seeds, looked up by run and benchmark."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.schemas import METRICS
from samr1.evaluation.bootstrap import interval_over_seeds


@dataclass(frozen=True)
class Estimate:
    """A run's figure on a benchmark, in 0–1.

    `value` is the mean over seeds and `sd` their sample standard deviation (None for one seed). The
    95 % interval is over images and, where there are several, over seeds too; then `image_bounds`
    are those over images alone, the mean of each seed's.
    """

    value: float
    ci_low: float | None
    ci_high: float | None
    sd: float | None
    seeds: tuple[int, ...]
    n: int
    image_bounds: tuple[float | None, float | None] = (None, None)


class Measurements:
    """The rows of several metrics files, in whatever order they are given."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the files, each once; raises UserError where two of them give the same figure."""
        self._rows: dict[tuple[str, str, str, str], dict[int, dict[str, Any]]] = {}
        origin: dict[tuple[object, ...], Path] = {}
        for path in dict.fromkeys(files):
            for row in read_table(path, METRICS).to_pylist():
                key = (row["run"], row["benchmark"], row["protocol"], row["metric"])
                seeds = self._rows.setdefault(key, {})
                if row["seed"] in seeds:
                    raise UserError(
                        f"{path}: {row['metric']} of run {row['run']!r}, seed {row['seed']}, on "
                        f"{row['benchmark']!r} ({row['protocol']}) is also in "
                        f"{origin[*key, row['seed']]}; give one of the two."
                    )
                seeds[row["seed"]] = row
                origin[*key, row["seed"]] = path

    def get(self, run: str, benchmark: str, protocol: str, metric: str) -> Estimate:
        """The figure of `run` over all its seeds.

        Raises UserError, naming run and benchmark, where there is none or its seeds differ in n.
        """
        seeds = self._rows.get((run, benchmark, protocol, metric))
        if not seeds:
            raise UserError(
                f"no {metric} of run {run!r} on benchmark {benchmark!r} under protocol "
                f"{protocol!r} among the metrics files; score that benchmark and give its file."
            )
        rows = [seeds[seed] for seed in sorted(seeds)]
        counts = sorted({row["n"] for row in rows})
        if len(counts) > 1:
            raise UserError(
                f"run {run!r} on benchmark {benchmark!r}: its seeds were scored on {counts[0]} and "
                f"{counts[1]} samples; predict and score them on the same samples."
            )
        values = [row["value"] for row in rows]
        of_images = _mean([row["ci_low"] for row in rows]), _mean([row["ci_high"] for row in rows])
        low, high = of_images
        if len(rows) > 1 and None not in of_images:
            bounds = [(row["ci_low"], row["ci_high"]) for row in rows]
            low, high = interval_over_seeds(values, bounds)
        return Estimate(
            value=statistics.fmean(values),
            ci_low=low,
            ci_high=high,
            sd=statistics.stdev(values) if len(values) > 1 else None,
            seeds=tuple(sorted(seeds)),
            n=counts[0],
            image_bounds=of_images,
        )

    def has(self, run: str, benchmark: str) -> bool:
        """Whether `run` was scored on `benchmark`."""
        return any(key[:2] == (run, benchmark) for key in self._rows)

    def values(
        self, run: str, keys: Sequence[tuple[str, str, str]]
    ) -> dict[int, tuple[object, ...]]:
        """By seed, the bare values of `run` under `keys` (benchmark, protocol, metric)."""
        found = [self._rows.get((run, *key), {}) for key in keys]
        shared = set.intersection(*(set(seeds) for seeds in found)) if found else set()
        return {s: tuple(seeds[s]["value"] for seeds in found) for s in sorted(shared)}


def _mean(bounds: Sequence[float | None]) -> float | None:
    known = [bound for bound in bounds if bound is not None]
    return statistics.fmean(known) if len(known) == len(bounds) else None
