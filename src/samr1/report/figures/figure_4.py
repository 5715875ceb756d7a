"""Figure 4: (a) training with and without the KL term; (b, c) where points of two rewards fall.

The two negative-point rewards are the paper's appendix's: (b) for having points of both values, (c)
only where all of them lie inside the answer's own box.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from samr1.core.errors import prefix_errors
from samr1.report.figures.curves import plot_runs
from samr1.report.figures.points import locate_points, share_places
from samr1.report.figures.style import FAINT, GROUND, INK, LINES, WIDTH, add_legend
from samr1.report.predictions import Answers
from samr1.report.trainings import Runs, read_trainings

_BY_STEP = {"reward_total": "(a) Reward", "kl": "KL to the base policy, nats a token"}
_REACH = (-0.75, 1.75)  # what a map shows, in the box's own width and height
_REWARDS = ("(b) Reward for both values", "(c) Both, inside the box")
_VALUES = ("positive", "negative")
_PLACES = ("on the object", "background, in the box", "background, outside the box")


def draw_figure_4(training: Sequence[Path], answers: Answers) -> Figure:
    """Draw the figure.

    Panel (a) shows the training metrics `training` of whatever runs, in their order; (b) and (c)
    the answers of two runs of `answers`, whose rewards are for points anywhere and inside. Raises
    UserError where a file is not of training metrics, or an answer is broken.
    """
    runs = read_trainings(training, _BY_STEP)
    points = []
    for run, tables in answers.runs.items():
        with prefix_errors(f"run {run!r} on {answers.title}"):
            found = locate_points(answers.samples, tables)
            points.append([found[found["value"] == value] for value in (1, 0)])
    figure = Figure(figsize=(WIDTH, 6.0))
    grid = figure.add_gridspec(3, 4, height_ratios=(1.0, 1.15, 0.4))
    _draw_runs([figure.add_subplot(grid[0, :2]), figure.add_subplot(grid[0, 2:])], runs)
    for half, (title, pair) in enumerate(zip(_REWARDS, points, strict=True)):
        for place, (value, found) in enumerate(zip(_VALUES, pair, strict=True)):
            axis = figure.add_subplot(grid[1, 2 * half + place])
            _draw_map(axis, found, place)
            axis.set_title(f"{title}\n{value} points" if place == 0 else f"\n{value} points")
        _draw_shares(figure.add_subplot(grid[2, 2 * half : 2 * half + 2]), pair)
    add_legend(figure, *figure.axes[-3:])  # a map and its bars say what both mean
    return figure


def _draw_runs(axes: Sequence[Axes], runs: Runs) -> None:
    for axis, (column, title) in zip(axes, _BY_STEP.items(), strict=True):
        plot_runs(axis, runs, column)
        axis.set_title(title)
        axis.set_xlabel("Step")
    axes[0].legend(loc="best")


def _draw_map(axis: Axes, points: pd.DataFrame, look: int) -> None:
    """The points on their own boxes; those farther away than the map stand at its edge."""
    axis.scatter(
        points["x"].clip(*_REACH),
        points["y"].clip(*_REACH),
        s=7,
        marker="ox"[look],
        facecolors=LINES[look] if look else "none",
        edgecolors=None if look else LINES[look],
        linewidths=0.6,
        alpha=0.4,
        clip_on=False,
    )
    box = Rectangle((0, 0), 1, 1, fill=False, ec=INK, lw=1.2, label="the answer's own box")
    axis.add_patch(box)
    axis.set_xlim(*_REACH)
    axis.set_ylim(*reversed(_REACH))  # as in an image, y grows downwards
    axis.set_aspect("equal")
    axis.set_xticks([0, 1])
    axis.set_yticks([0, 1])
    share = f"{100 * points['in_box'].mean():.0f} % in the box\nn = {len(points):,}"
    axis.set_xlabel(share if len(points) else "no points", fontsize=7)


def _draw_shares(axis: Axes, pair: Sequence[pd.DataFrame]) -> None:
    """A bar a value, in three parts that add up to all its points; none where there is no point."""
    shares = 100 * np.array([share_places(points) for points in pair])
    left = np.zeros(len(pair))
    looks = ((LINES[2], ""), (LINES[4], "////"), (FAINT, "...."))
    for part, name, (colour, hatch) in zip(shares.T, _PLACES, looks, strict=True):
        axis.barh(
            range(len(pair)),
            part,
            left=left,
            label=name,
            color=GROUND if hatch else colour,
            edgecolor=colour,
            hatch=hatch,
            height=0.6,
        )
        for place, share in enumerate(part):
            if share >= 8:  # below that a number does not fit
                middle = left[place] + share / 2
                label = axis.text(middle, place, f"{share:.0f}", ha="center", va="center")
                label.set_bbox({"facecolor": GROUND, "edgecolor": "none", "pad": 1})
        left += part
    axis.set_yticks(range(len(pair)), _VALUES)
    axis.set_ylim(len(pair) - 0.5, -0.5)
    axis.set_xlim(0, 100)
    axis.set_xlabel("Points, %")
    axis.grid(visible=False)
