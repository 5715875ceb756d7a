"""How the IoU of answers spreads over the tiers of the reward, before and after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samr1.evaluation.bootstrap import Floats
from samr1.method.rewards.segmentation import TIERS
from samr1.report.figures.style import INK, LINES, add_legend, make_panels
from samr1.report.predictions import Answers, measure_ious

_COLUMNS = 2
EDGES: Floats = np.arange(21) / 20  # every bound of a tier is one of them


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


def draw_shares(axis: Axes, values: Mapping[str, Sequence[Floats]], edges: Floats) -> None:
    """A histogram a run, in percent: the first an outline, the second filled; means over seeds."""
    for index, (run, seeds) in enumerate(values.items()):
        axis.stairs(
            100 * mean_shares(seeds, edges),
            edges,
            label=run,
            color=LINES[1 - index],
            fill=index == 1,
            alpha=0.6 if index else 1.0,
            linewidth=1.4,
            zorder=3 - index,
        )


def draw_histograms(benchmarks: Sequence[Answers]) -> Figure:
    """Draw a histogram of IoUs a benchmark, two runs in each; the tiers' bounds are lines.

    Above a tier stands its reward, and the share of either run's answers in it. Raises UserError
    where a mask is broken.
    """
    figure, axes = make_panels(len(benchmarks), _COLUMNS, 1.9, 0.6)
    for axis, one in zip(axes, benchmarks, strict=True):
        ious = measure_ious(one)
        draw_shares(axis, ious, EDGES)
        _draw_tiers(axis, ious)
        axis.set_title(f"{one.title} (n = {len(one.samples):,})")
    for axis in axes[-_COLUMNS:]:
        axis.set_xlabel("IoU of an answer's mask with the ground truth")
    for axis in axes[::_COLUMNS]:
        axis.set_ylabel("Answers, %")
    add_legend(figure, axes[0])
    return figure


def _draw_tiers(axis: Axes, ious: Mapping[str, Sequence[Floats]]) -> None:
    bounds = sorted(bound for bound, _ in TIERS)
    for bound in bounds:
        axis.axvline(bound, color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    edges = np.array([0.0, *bounds, 1.0])
    shares = np.array([mean_shares(seeds, edges) for seeds in ious.values()])
    rewards = [0.0, *sorted(reward for _, reward in TIERS)]
    top = axis.get_ylim()[1]
    for place, (reward, middle) in enumerate(
        zip(rewards, (edges[:-1] + edges[1:]) / 2, strict=True)
    ):
        said = " → ".join(f"{100 * share:.0f}" for share in shares[:, place])
        words = ("reward ", " %") if place == 0 else ("", "")
        axis.text(
            middle,
            1.04 * top,
            f"{words[0]}{reward:.0f}\n{said}{words[1]}",
            ha="center",
            va="bottom",
            fontsize=6.5,
        )
    axis.set_ylim(0, 1.28 * top)
    axis.set_xlim(0, 1)
    axis.set_xticks([0, *bounds, 1])
    axis.grid(visible=False)
