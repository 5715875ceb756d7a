"""How long responses and thoughts are, by step of training and by answer to benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from samr1.evaluation.bootstrap import Floats
from samr1.report.figures.curves import PANELS, mean_curve, seed_curve
from samr1.report.figures.histograms import draw_shares
from samr1.report.figures.style import FAINT, LINES, WIDTH
from samr1.report.predictions import Answers
from samr1.report.trainings import Runs, read_trainings

_COLUMNS = ("response_length", "think_length")  # of the training metrics
_MOST_BINS = 40


def answer_lengths(predictions: pa.Table) -> dict[str, Floats]:
    """Tokens of each response and words of each thought [N], by the training metrics' names.

    An answer without a thought has 0 words.
    """
    return {
        "response_length": predictions["response_tokens"].to_numpy().astype(np.float64),
        "think_length": np.array(
            [float(len((think or "").split())) for think in predictions["think"].to_pylist()]
        ),
    }


def length_edges(values: Sequence[Floats]) -> Floats:
    """Edges of bins as wide as whole numbers, at most 40, that hold all `values`."""
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    width = max(int(np.ceil((high - low + 1) / _MOST_BINS)), 1)
    return np.arange(low - 0.5, high + 0.5 + width, width)


def draw_lengths(training: Sequence[Path], benchmarks: Sequence[Answers]) -> Figure:
    """Draw lengths by step, the first run of the files `training` before the others, and by answer.

    Raises UserError where a file is not of training metrics.
    """
    runs = read_trainings(training)
    lengths = [
        {run: [answer_lengths(table) for table in tables] for run, tables in one.runs.items()}
        for one in benchmarks
    ]
    edges = {
        column: length_edges(
            [seed[column] for of_runs in lengths for seeds in of_runs.values() for seed in seeds]
        )
        for column in _COLUMNS
    }
    rows = 1 + len(benchmarks)
    figure = Figure(figsize=(WIDTH, 0.3 + 1.7 * rows))
    axes = figure.subplots(rows, len(_COLUMNS), squeeze=False)
    for column, axis in zip(_COLUMNS, axes[0], strict=True):
        _draw_steps(axis, runs, column)
        axis.set_title(f"{PANELS[column]}, by step of training")
    for one, of_runs, line in zip(benchmarks, lengths, axes[1:], strict=True):
        for column, axis in zip(_COLUMNS, line, strict=True):
            values = {run: [s[column] for s in seeds] for run, seeds in of_runs.items()}
            draw_shares(axis, values, edges[column])
            axis.set_title(f"{PANELS[column]}, answers to {one.title}")
            axis.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        line[0].set_ylabel("Answers, %")
    for axis in axes[:2, 0]:
        axis.legend(loc="best")
    return figure


def _draw_steps(axis: Axes, runs: Runs, column: str) -> None:
    """The mean over seeds of each run; who is not the first is there for comparison."""
    for place, (run, trainings) in enumerate(runs.items()):
        curve = mean_curve([seed_curve(training, column) for training in trainings])
        if place == 0:
            axis.plot(curve, color=LINES[0], label=run, zorder=3)
        else:
            name = "each other run" if place == 1 else None
            axis.plot(curve, color=FAINT, linewidth=0.7, label=name)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("Step")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
