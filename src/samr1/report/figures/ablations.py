"""The ablations of Tables 4 and 5 as bars: each run's measured figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samr1.config.names import BASE
from samr1.config.published import Column, Table
from samr1.report.figures.style import GROUND, INK, LINES, WIDTH, add_legend
from samr1.report.tables.measured import Estimate, Measurements

_COLUMNS = 2


def measure_runs(
    table: Table, column: Column, measurements: Measurements
) -> dict[str, Estimate | None]:
    """What is measured in a column of `table`: the base policy's, then its runs', in their order.

    Under the table's first protocol; None where an extra run was not scored. Raises UserError where
    a run of the table's rows has no such figure.
    """
    names = {BASE: "Base, no training"} | table.labels
    key = (column.benchmark, table.protocols[0], column.metric)
    must = {BASE, *(row.run for row in table.rows)}
    return {
        name: (measurements.get if run in must else measurements.find)(run, *key)
        for run, name in names.items()
    }


def draw_ablations(tables: Mapping[str, Table], measurements: Measurements) -> Figure:
    """Draw `tables` (title -> table) below each other, a panel a measured column.

    Raises UserError where a run has no figure that it must have.
    """
    rows = [
        [(f"{title}: {one.label}, %", measure_runs(table, one, measurements)) for one in side]
        for title, table in tables.items()
        for side in _put_side_by_side(table)
    ]
    figure = Figure(figsize=(WIDTH, 0.4 + 1.35 * len(rows)))
    axes = figure.subplots(len(rows), _COLUMNS, squeeze=False, sharey="row", sharex=True)
    farthest = 0.0
    for line, panels in zip(axes, rows, strict=True):
        for axis in line[len(panels) :]:
            axis.set_axis_off()
        for axis, (title, bars) in zip(line, panels, strict=False):
            farthest = max(farthest, _draw_bars(axis, title, bars))
    axes[0, 0].set_xlim(0, 1.03 * farthest)
    add_legend(figure, *axes.flat)
    return figure


def _put_side_by_side(table: Table) -> list[list[Column]]:
    """The measured columns of a table in rows of the figure, which no other table is in."""
    columns = [column for column in table.columns.values() if column.metric]
    return [columns[start : start + _COLUMNS] for start in range(0, len(columns), _COLUMNS)]


def _draw_bars(axis: Axes, title: str, bars: Mapping[str, Estimate | None]) -> float:
    """Horizontal bars from 0, in percent, and how far the drawing reaches.

    The first, the base policy's, is hatched, and a line leads down from its end.
    """
    there = {place: bar for place, bar in enumerate(bars.values()) if bar}
    places = list(there)
    values = np.array([100 * bar.value for bar in there.values()])
    bounds = np.array([(bar.ci_low, bar.ci_high) for bar in there.values()]) * 100
    drawn = axis.barh(
        places,
        values,
        height=0.72,
        color=[GROUND, *[LINES[0]] * (len(there) - 1)],
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
    seeds = _draw_seeds(axis, there)
    for place, value in zip(places, values, strict=True):
        label = axis.text(0, place, f" {value:.1f} ", va="center", fontsize=7)
        if place == 0:
            label.set_bbox({"facecolor": GROUND, "edgecolor": "none", "pad": 0.5})
    axis.set_title(title)
    axis.set_yticks(range(len(bars)), list(bars))
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
    return float(max([*values, *bounds[:, 1], *seeds]))


def _draw_seeds(axis: Axes, bars: Mapping[int, Estimate]) -> list[float]:
    """A dot a seed on the bars, by their places, that have several; how far each reaches."""
    several = [
        (100 * value, place + 0.22)
        for place, bar in bars.items()
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
