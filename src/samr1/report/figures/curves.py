"""Training curves: what a step measured, over steps, a line a run; seeds thin, their mean thick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from samr1.core.errors import UserError
from samr1.evaluation.bootstrap import Floats
from samr1.report.figures.style import add_legend, line_look, make_panels, mark_every
from samr1.report.tables.clipping import Training, read_training

# What a panel shows: a column of the training metrics under its title; shares are in percent.
PANELS = {
    "reward_total": "Reward",
    "reward_segmentation": "Segmentation reward",
    "reward_reasoning_format": "Reasoning-format reward",
    "reward_segmentation_format": "Segm.-format reward",
    "reward_points": "Point reward",
    "iou": "IoU",
    "right_point": "Point in the target, %",
    "share_parsed": "With a box, %",
    "frac_reward_zero_std": "Zero-std groups, %",
    "kl": "KL, nats a token",
    "entropy": "Entropy, nats a token",
    "grad_norm": "Gradient norm",
    "clip_fraction_low": "Tokens clipped low, %",
    "clip_fraction_high": "Tokens clipped high, %",
    "response_length": "Response, tokens",
    "think_length": "Thought, words",
}
_POINTS = "reward_points"
_COLUMNS = 4

Runs = dict[str, list[Training]]  # run -> its seeds; the first run is drawn in the first colour


def read_runs(files: Sequence[Path]) -> Runs:
    """Read training metrics, by run in the order of the files.

    Raises UserError where a file is missing, empty, or not of training metrics.
    """
    trainings = sorted(read_training(files), key=lambda training: files.index(training.path))
    runs: Runs = {}
    for training in trainings:
        runs.setdefault(training.run, []).append(training)
    return runs


def seed_curve(training: Training, column: str) -> tuple[Floats, Floats]:
    """Steps [N] and the values of `column` [N], NaN where a step has none.

    Raises UserError where the file lacks the column.
    """
    for name in ("step", column):
        if name not in training.steps.column_names:
            raise UserError(
                f"{training.path}: lacks the column {name!r}; give the metrics that train_policy "
                "wrote."
            )
    steps, values = (
        training.steps[name].to_numpy().astype(np.float64) for name in ("step", column)
    )
    return steps, values


def mean_curve(seeds: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Steps [N] of any seed, in order, and the mean over the seeds that measured something there.

    A seed is its steps and values; where no seed has a value, the mean is NaN.

    >>> ours = np.array([0.0, 1.0]), np.array([2.0, np.nan])
    >>> theirs = np.array([0.0, 1.0, 2.0]), np.array([4.0, 5.0, 6.0])
    >>> [part.tolist() for part in mean_curve([ours, theirs])]
    [[0.0, 1.0, 2.0], [3.0, 5.0, 6.0]]
    """
    steps, place = np.unique(np.concatenate([own for own, _ in seeds]), return_inverse=True)
    values = np.concatenate([own for _, own in seeds])
    known = ~np.isnan(values)
    total = np.bincount(place[known], values[known], minlength=len(steps))
    count = np.bincount(place[known], minlength=len(steps))
    return steps, np.divide(total, count, out=np.full(len(steps), np.nan), where=count > 0)


def find_top(values: Floats) -> float | None:
    """Where an axis should end that a few far values would stretch; None where there are none.

    A mean over sampled tokens, as the KL estimate is, can be a thousandfold in a single step.

    >>> find_top(np.array([0.25] * 99 + [1700.0])), find_top(np.array([0.25, 0.5, 1.0]))
    (0.5, None)
    """
    usual = float(np.quantile(values, 0.98)) if len(values) else 0.0
    return 2 * usual if 0 < 4 * usual < values.max() else None


def plot_runs(axis: Axes, runs: Runs, column: str) -> None:
    """Draw `column` over steps: each run's mean over seeds; several seeds are thin lines.

    A few values far above all others are cut off, and how far they go is written there.
    """
    found: list[Floats] = []
    for index, (run, trainings) in enumerate(runs.items()):
        look = line_look(index)
        seeds = [seed_curve(training, column) for training in trainings]
        found += [values for _, values in seeds]
        if len(seeds) > 1:
            for steps, values in seeds:
                axis.plot(steps, values, color=look["color"], linewidth=0.5, alpha=0.35)
        steps, mean = mean_curve(seeds)
        axis.plot(
            steps, mean, label=run, markevery=mark_every(len(steps), index, len(runs)), **look
        )
    values = np.concatenate(found)
    values = values[~np.isnan(values)]
    top = find_top(values)
    if top is not None:
        low = float(values.min())
        axis.set_ylim(low - 0.05 * (top - low), top)
        said = f"cut off: up to {values.max():,.1f}"
        axis.text(0.98, 0.98, said, transform=axis.transAxes, ha="right", va="top", fontsize=6)
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if PANELS[column].endswith("%"):
        axis.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g}")


def draw_curves(files: Sequence[Path]) -> Figure:
    """Draw the training metrics `files` of a few runs, a panel a quantity.

    The point reward has no panel where no run is given any. Raises UserError where a file is not of
    training metrics.
    """
    runs = read_runs(files)
    panels = [column for column in PANELS if column != _POINTS or _has_points(runs)]
    figure, axes = make_panels(len(panels), _COLUMNS, 1.5, 0.4)
    for axis, column in zip(axes, panels, strict=True):
        plot_runs(axis, runs, column)
        axis.set_title(PANELS[column])
    for axis in axes[-_COLUMNS:]:
        axis.set_xlabel("Step")
    add_legend(figure, axes[0])
    return figure


def _has_points(runs: Runs) -> bool:
    given = [seed_curve(training, _POINTS)[1] for seeds in runs.values() for training in seeds]
    return any(np.nan_to_num(rewards).any() for rewards in given)
