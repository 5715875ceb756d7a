"""Training curves: what a step measured, over steps, a line a run; seeds thin, their mean thick."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from samr1.report.figures.style import add_legend, line_look, make_panels, mark_every
from samr1.report.trainings import Runs, read_trainings

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


def mean_curve(seeds: Sequence[pd.Series]) -> pd.Series:
    """The mean over the seeds that measured something at a step, NaN where none did.

    >>> ours, theirs = pd.Series([2.0, np.nan]), pd.Series([4.0, 5.0, 6.0])
    >>> mean_curve([ours, theirs]).to_dict()
    {0: 3.0, 1: 5.0, 2: 6.0}
    """
    return pd.concat(seeds).groupby(level=0).mean()


def find_top(values: pd.Series) -> float | None:
    """Where an axis should end that a few far values would stretch; None where there are none.

    A mean over sampled tokens, as the KL estimate is, can be a thousandfold in a single step.

    >>> find_top(pd.Series([0.25] * 99 + [1700.0])), find_top(pd.Series([0.25, 0.5, 1.0]))
    (0.5, None)
    """
    usual = float(values.quantile(0.98)) if len(values) else 0.0
    return 2 * usual if 0 < 4 * usual < values.max() else None


def plot_runs(axis: Axes, runs: Runs, column: str) -> None:
    """Draw `column` over steps: each run's mean over seeds; several seeds are thin lines.

    The first run has the first colour. A few values far above all others are cut off, and how far
    they go is written there.
    """
    found: list[pd.Series] = []
    for index, (run, trainings) in enumerate(runs.items()):
        look = line_look(index)
        seeds = [steps[column] for steps in trainings]
        found += seeds
        for one in seeds if len(seeds) > 1 else ():
            axis.plot(one, color=look["color"], linewidth=0.5, alpha=0.35)
        mean = mean_curve(seeds)
        axis.plot(mean, label=run, markevery=mark_every(len(mean), index, len(runs)), **look)
    values = pd.concat(found).dropna()
    top = find_top(values)
    if top is not None:
        low = values.min()
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
    runs = read_trainings(files, PANELS)
    given = any(steps[_POINTS].any() for seeds in runs.values() for steps in seeds)
    panels = [column for column in PANELS if column != _POINTS or given]
    return draw_panels(runs, panels, 4, 1.5, 0.4)


def draw_panels(
    runs: Runs, panels: Sequence[str], columns: int, height: float, around: float
) -> Figure:
    """Draw the training metrics `panels` over steps: the panels as those of `make_panels`."""
    figure, axes = make_panels(len(panels), columns, height, around)
    for axis, column in zip(axes, panels, strict=True):
        plot_runs(axis, runs, column)
        axis.set_title(PANELS[column])
    for axis in axes[-columns:]:
        axis.set_xlabel("Step")
    add_legend(figure, axes[0])
    return figure
