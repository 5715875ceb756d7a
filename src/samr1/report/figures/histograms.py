"""How the IoU of answers spreads over the tiers of the reward, before and after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samr1.evaluation.score import sample_ious
from samr1.method.rewards.segmentation import TIERS
from samr1.report.figures.answers import Answers, Floats, draw_shares, mean_shares, said_of
from samr1.report.figures.style import WIDTH, Outputs, Theme, add_legend, write_figure

_COLUMNS = 2
EDGES: Floats = np.arange(21) / 20  # every bound of a tier is one of them


def benchmark_ious(answers: Answers) -> dict[str, list[Floats]]:
    """IoUs of every run, an array [N] a seed; a UserError says whose mask is broken."""
    found: dict[str, list[Floats]] = {}
    for run, tables in answers.runs.items():
        with said_of(f"run {run!r} on {answers.title}"):
            found[run] = [sample_ious(answers.samples, table, "seg_zero") for table in tables]
    return found


def draw_histograms(benchmarks: Sequence[Answers], outputs: Outputs) -> None:
    """Draw a histogram of IoUs a benchmark, two runs in each; the tiers' bounds are lines.

    Above a tier stands its reward, and the share of either run's answers in it. Raises UserError
    where a mask is broken.
    """
    ious = [benchmark_ious(one) for one in benchmarks]
    rows = -(-len(benchmarks) // _COLUMNS)

    def draw(figure: Figure, theme: Theme) -> None:
        axes = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
        for axis, one, found in zip(axes, benchmarks, ious, strict=False):
            draw_shares(axis, found, EDGES, theme)
            _draw_tiers(axis, found, theme)
            axis.set_title(f"{one.title} (n = {len(one.samples):,})")
        for axis in axes[len(benchmarks) :]:
            axis.set_axis_off()
        for axis in axes[: len(benchmarks)][-_COLUMNS:]:
            axis.set_xlabel("IoU of an answer's mask with the ground truth")
        for axis in axes[::_COLUMNS]:
            axis.set_ylabel("Answers, %")
        add_legend(figure, axes[0])

    write_figure(outputs, (WIDTH, 0.6 + 1.9 * rows), draw)


def _draw_tiers(axis: Axes, ious: Mapping[str, Sequence[Floats]], theme: Theme) -> None:
    bounds = sorted(bound for bound, _ in TIERS)
    for bound in bounds:
        axis.axvline(bound, color=theme.ink, linewidth=0.7, linestyle=(0, (3, 2)))
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
