"""Measured figures: metrics.parquet files of any runs and seeds, looked up by run and benchmark."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.schemas import METRICS
from samr1.evaluation.bootstrap import interval_over_seeds

_KEYS = ["run", "benchmark", "protocol", "metric"]


@dataclass(frozen=True)
class Estimate:
    """A run's figure on a benchmark, in 0–1.

    `value` is the mean over seeds of `values`, a seed's each, and `sd` their sample standard
    deviation (None for one seed). The 95 % interval is over images and, where there are several,
    over seeds too; then `image_bounds` are those over images alone, the mean of each seed's.
    """

    value: float
    ci_low: float
    ci_high: float
    sd: float | None
    seeds: tuple[int, ...]
    n: int
    image_bounds: tuple[float, float]
    values: tuple[float, ...]


class Measurements:
    """The rows of several metrics files, in whatever order they are given."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Read the files, each once; raises UserError where two of them give the same figure."""
        tables = {path: read_table(path, METRICS).to_pandas() for path in files}
        rows = pd.concat(tables, names=["file", None])
        again = rows[rows.duplicated([*_KEYS, "seed"])]
        if len(again):
            twice = rows[(rows[[*_KEYS, "seed"]] == again.iloc[0][[*_KEYS, "seed"]]).all(axis=1)]
            first, second = twice.index.get_level_values("file")[:2]
            row = twice.iloc[0]
            raise UserError(
                f"{second}: {row.metric} of run {row.run!r}, seed {row.seed}, on "
                f"{row.benchmark!r} ({row.protocol}) is also in {first}; give one of the two."
            )
        self._seeds = dict(iter(rows.sort_values("seed").groupby(_KEYS)))

    def get(self, run: str, benchmark: str, protocol: str, metric: str | None) -> Estimate:
        """The figure of `run` over all its seeds.

        Raises UserError, naming run and benchmark, where there is none or its seeds differ in n.
        """
        found = self.find(run, benchmark, protocol, metric)
        if found is None:
            raise UserError(
                f"no {metric} of run {run!r} on benchmark {benchmark!r} under protocol "
                f"{protocol!r} among the metrics files; score that benchmark and give its file."
            )
        return found

    def find(self, run: str, benchmark: str, protocol: str, metric: str | None) -> Estimate | None:
        """The same, None where there is none; raises UserError where its seeds differ in n."""
        rows = self._seeds.get((run, benchmark, protocol, metric))
        if rows is None:
            return None
        counts = sorted(set(rows["n"]))
        if len(counts) > 1:
            raise UserError(
                f"run {run!r} on benchmark {benchmark!r}: its seeds were scored on {counts[0]} and "
                f"{counts[1]} samples; predict and score them on the same samples."
            )
        values, several = rows["value"].tolist(), len(rows) > 1
        bounds = rows[["ci_low", "ci_high"]].values.tolist()
        low, high = map(statistics.fmean, zip(*bounds, strict=True))
        of_images = low, high
        if several:
            low, high = interval_over_seeds(values, bounds)
        return Estimate(
            value=statistics.fmean(values),
            ci_low=low,
            ci_high=high,
            sd=statistics.stdev(values) if several else None,
            seeds=tuple(rows["seed"].tolist()),
            n=int(counts[0]),
            image_bounds=of_images,
            values=tuple(values),
        )

    def has(self, run: str, benchmark: str, metric: str | None = None) -> bool:
        """Whether `run` was scored on `benchmark`, and in `metric` where one is named."""
        keys = [key for key in self._seeds if key[:2] == (run, benchmark)]
        return any(metric in (None, key[3]) for key in keys)
