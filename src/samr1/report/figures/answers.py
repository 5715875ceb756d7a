"""The answers of two runs to some benchmarks, and histograms of what is measured of each answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from matplotlib.axes import Axes

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.data.samples import load_samples
from samr1.evaluation.answers import answers_in_order
from samr1.report.figures.style import Theme
from samr1.report.tables.layout import BENCHMARK_LABELS

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What runs answered to one benchmark: run -> its predictions, a table a seed."""

    benchmark: str
    samples: pa.Table
    runs: Mapping[str, Sequence[pa.Table]]

    @property
    def title(self) -> str:
        """The benchmark's name, as readers know it."""
        return BENCHMARK_LABELS.get(self.benchmark, self.benchmark)


def read_answers(samples: Sequence[Path], predictions: Sequence[Path]) -> list[Answers]:
    """Read the predictions on each file of samples, .../{run}/seed_{seed}/{samples' name}.

    Runs keep the order of the files. Raises UserError where a file is missing or not what it
    should be, where a sample is not answered, and where a benchmark lacks one of two runs.
    """
    names = list(dict.fromkeys(path.parent.parent.name for path in predictions))
    found = []
    for file in samples:
        table = load_samples(file)
        runs = {
            run: [
                read_predictions(path, table)
                for path in predictions
                if path.name == file.name and path.parent.parent.name == run
            ]
            for run in names
        }
        missing = [run for run, tables in runs.items() if not tables]
        if missing or len(runs) != 2:
            what = f"no predictions of run {missing[0]!r}" if missing else f"{len(runs)} runs"
            raise UserError(
                f"{file}: {what} among the predictions; give two runs' answers to every benchmark, "
                f".../{{run}}/seed_{{seed}}/{file.name}."
            )
        found.append(Answers(file.stem, table, runs))
    return found


def read_predictions(path: Path, samples: pa.Table) -> pa.Table:
    """Read predictions on `samples`, of `schemas.PREDICTIONS`.

    Raises UserError unless the file answers every sample once and nothing else.
    """
    table = read_table(path, schemas.PREDICTIONS)
    with said_of(str(path)):
        answers_in_order(samples, table, "box")
    return table


@contextmanager
def said_of(whose: str) -> Iterator[None]:
    """Put in front of a UserError whose answers it is about."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{whose}: {error}") from error


def count_bins(values: Floats, edges: Floats) -> Floats:
    """The share of `values` in each bin: above its lower edge, up to and with its upper one.

    So a bound belongs to the tier below it, as in equation 5; what is at or below the first edge is
    in the first bin.

    >>> count_bins(np.array([0.0, 0.5, 0.51, 1.0]), np.array([0.0, 0.5, 1.0])).tolist()
    [0.5, 0.5]
    """
    places = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    return np.bincount(places, minlength=len(edges) - 1) / len(values)


def mean_shares(seeds: Sequence[Floats], edges: Floats) -> Floats:
    """`count_bins` of each seed's values, averaged over the seeds."""
    return np.mean([count_bins(values, edges) for values in seeds], axis=0)


def draw_shares(
    axis: Axes, values: Mapping[str, Sequence[Floats]], edges: Floats, theme: Theme
) -> None:
    """A histogram a run, in percent: the first an outline, the second filled; means over seeds."""
    for index, (run, seeds) in enumerate(values.items()):
        axis.stairs(
            100 * mean_shares(seeds, edges),
            edges,
            label=run,
            color=theme.lines[1 - index],
            fill=index == 1,
            alpha=0.6 if index else 1.0,
            linewidth=1.4,
            zorder=3 - index,
        )
