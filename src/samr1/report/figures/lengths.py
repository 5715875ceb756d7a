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
from samr1.report.figures.curves import PANELS, mean_curve
from samr1.report.figures.histograms import draw_shares
from samr1.report.figures.style import FAINT, LINES, WIDTH
from samr1.report.predictions import Answers
from samr1.report.trainings import Runs, read_trainings

_MOST_BINS = 40


def count_tokens(predictions: pa.Table) -> Floats:
    """Tokens of each response [N]."""
    return predictions["response_tokens"].to_numpy().astype(np.float64)


def count_words(predictions: pa.Table) -> Floats:
    """Words of each thought [N], 0 without one."""
    thoughts = predictions["think"].to_pylist()
    return np.array([float(len((thought or "").split())) for thought in thoughts])


# By the training metrics' names.
LENGTHS = {"response_length": count_tokens, "think_length": count_words}


def length_edges(values: Sequence[Floats]) -> Floats:
    """Edges of bins as wide as whole numbers, at most 40, that hold all `values`."""
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    width = max(int(np.ceil((high - low + 1) / _MOST_BINS)), 1)
    return np.arange(low - 0.5, high + 0.5 + width, width)


def draw_lengths(training: Sequence[Path], benchmarks: Sequence[Answers]) -> Figure:
    """Draw lengths by step, the first run of the files `training` before the others, and by answer.

    Raises UserError where a file is not of training metrics.
    """
    runs = read_trainings(training, LENGTHS)
    rows = 1 + len(benchmarks)
    figure = Figure(figsize=(WIDTH, 0.3 + 1.7 * rows))
    axes = figure.subplots(rows, len(LENGTHS), squeeze=False)
    for (column, count), (by_step, *by_answer) in zip(LENGTHS.items(), axes.T, strict=True):
        _draw_steps(by_step, runs, column)
        by_step.set_title(f"{PANELS[column]}, by step of training")
        lengths = [
            {run: [count(table) for table in tables] for run, tables in one.runs.items()}
            for one in benchmarks
        ]
        edges = length_edges([seed for one in lengths for seeds in one.values() for seed in seeds])
        for axis, one, values in zip(by_answer, benchmarks, lengths, strict=True):
            draw_shares(axis, values, edges)
            axis.set_title(f"{PANELS[column]}, answers to {one.title}")
            axis.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    for axis in axes[1:, 0]:
        axis.set_ylabel("Answers, %")
    for axis in axes[:2, 0]:
        axis.legend(loc="best")
    return figure


def _draw_steps(axis: Axes, runs: Runs, column: str) -> None:
    """The mean over seeds of each run; who is not the first is there for comparison."""
    for place, (run, trainings) in enumerate(runs.items()):
        curve = mean_curve([steps[column] for steps in trainings])
        if place == 0:
            axis.plot(curve, color=LINES[0], label=run, zorder=3)
        else:
            name = "each other run" if place == 1 else None
            axis.plot(curve, color=FAINT, linewidth=0.7, label=name)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("Step")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
