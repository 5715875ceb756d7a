"""The ablations of Tables 4 and 5 as bars: each run's measured figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samr1.config.names import BASE
from samr1.config.published import Column, Table
from samr1.report.figures.style import GROUND, INK, LINES, WIDTH, add_legend
from samr1.report.tables.measured import Estimate, Measurements

_COLUMNS = 2


def measure_runs(table: Table, column: Column, measurements: Measurements) -> dict[str, Estimate]:
    """What is measured in a column of `table`: the base policy's, then its runs', in their order.

    Under the table's first protocol. Raises UserError where a run has no such figure.
    """
    names = {BASE: "Base, no training"} | table.labels
    key = (column.benchmark, table.protocols[0], column.metric)
    return {name: measurements.get(run, *key) for run, name in names.items()}


def draw_ablations(tables: Mapping[str, Table], measurements: Measurements) -> Figure:
    """Draw `tables` (title -> table) below each other, a panel a measured column.

    Raises UserError where a run has no figure.
    """
    panels = {
        f"{title}: {column.label}, %": measure_runs(table, column, measurements)
        for title, table in tables.items()
        for column in table.columns.values()
        if column.metric
    }
    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.4 + 1.35 * rows))
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey="row", sharex=True)
    farthest = max(
        _draw_bars(axis, title, bars)
        for axis, (title, bars) in zip(axes.flat, panels.items(), strict=True)
    )
    axes[0, 0].set_xlim(0, 1.03 * farthest)
    add_legend(figure, axes[-1, -1])
    return figure


def _draw_bars(axis: Axes, title: str, bars: Mapping[str, Estimate]) -> float:
    """Horizontal bars from 0, in percent, and how far the drawing reaches.

    The first, the base policy's, is hatched, and a line leads down from its end.
    """
    places = range(len(bars))
    values = np.array([100 * bar.value for bar in bars.values()])
    bounds = np.array([(bar.ci_low, bar.ci_high) for bar in bars.values()]) * 100
    drawn = axis.barh(
        places,
        values,
        height=0.72,
        color=[GROUND, *[LINES[0]] * (len(bars) - 1)],
        edgecolor=LINES[0],
        alpha=0.7,
    )
    drawn[0].set_hatch("/////")
    axis.axvline(values[0], color=INK, linewidth=0.6, linestyle=(0, (3, 2)))
    axis.errorbar(
        values,
        places,
        xerr=[values - bounds[:, 0], bounds[:, 1] - values],
        label="95 % interval",
        color=INK,
        linestyle="none",
        linewidth=1,
        capsize=2,
    )
    seeds = _draw_seeds(axis, list(bars.values()))
    for place, value in enumerate(values):
        label = axis.text(0, place, f" {value:.1f} ", va="center", fontsize=7)
        if place == 0:
            label.set_bbox({"facecolor": GROUND, "edgecolor": "none", "pad": 0.5})
    axis.set_title(title)
    axis.set_yticks(places, list(bars))
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    return float(max([*values, *bounds[:, 1], *seeds]))


def _draw_seeds(axis: Axes, bars: Sequence[Estimate]) -> list[float]:
    """A dot a seed on the bars that have several; how far each reaches."""
    several = [
        (100 * value, place + 0.22)
        for place, bar in enumerate(bars)
        for value in bar.values
        if len(bar.values) > 1
    ]
    values = [value for value, _ in several]
    if several:
        axis.scatter(
            values,
            [height for _, height in several],
            s=9,
            label="a seed",
            color=LINES[1],
            edgecolors=GROUND,
            linewidths=0.4,
            zorder=3,
        )
    return values
