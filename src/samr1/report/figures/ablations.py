"""The ablations of Tables 4 and 5 as bars: each run's measured figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samr1.config.names import BASE
from samr1.config.published import Column, Table
from samr1.report.figures.style import WIDTH, Outputs, Theme, add_legend, write_figure
from samr1.report.tables.measured import Measurements

_COLUMNS = 2


@dataclass(frozen=True)
class Bar:
    """A run's figure on a benchmark, in percent: the mean over its seeds, and each seed's own.

    `below` and `above` are how far the 95 % interval reaches, NaN where there is none.
    """

    name: str
    value: float
    below: float
    above: float
    seeds: tuple[float, ...]

    @property
    def farthest(self) -> float:
        """How far the drawing reaches."""
        return float(np.nanmax([self.value, self.value + self.above, *self.seeds]))


def measure_bars(table: Table, column: Column, measurements: Measurements) -> list[Bar]:
    """The bars of a column of `table`: the base policy's, then its runs' in their order.

    Figures are of the table's first protocol, and their intervals the table's: over images, and
    over seeds where there are several. Raises UserError where a run has no such figure.
    """
    names = {BASE: "Base, no training"} | table.labels
    key = (column.benchmark, table.protocols[0], column.metric or "")
    bars = []
    for run, name in names.items():
        figure = measurements.get(run, *key)
        low, high = (
            np.nan if bound is None else bound for bound in (figure.ci_low, figure.ci_high)
        )
        bars.append(
            Bar(
                name,
                100 * figure.value,
                100 * (figure.value - low),
                100 * (high - figure.value),
                tuple(100 * value for value in figure.values),
            )
        )
    return bars


def draw_ablations(
    tables: Mapping[str, Table], measurements: Measurements, outputs: Outputs
) -> None:
    """Draw `tables` (title -> table) below each other, a panel a measured column.

    Raises UserError where a run has no figure.
    """
    panels = [
        (f"{title}: {column.label}, %", measure_bars(table, column, measurements))
        for title, table in tables.items()
        for column in table.columns.values()
        if column.metric
    ]
    rows = -(-len(panels) // _COLUMNS)
    farthest = max(bar.farthest for _, bars in panels for bar in bars)

    def draw(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey="row", sharex=True)
        for axis, (title, bars) in zip(axes.flat, panels, strict=True):
            _draw_bars(axis, bars, theme)
            axis.set_title(title)
            axis.set_xlim(0, 1.03 * farthest)
        add_legend(figure, axes[-1, -1])

    write_figure(outputs, (WIDTH, 0.4 + 1.35 * rows), draw)


def _draw_bars(axis: Axes, bars: Sequence[Bar], theme: Theme) -> None:
    """Horizontal bars from 0; the base policy's is hatched, and a line leads down from its end."""
    places = range(len(bars))
    drawn = axis.barh(
        places,
        [bar.value for bar in bars],
        height=0.72,
        color=[theme.ground, *[theme.lines[0]] * (len(bars) - 1)],
        edgecolor=theme.lines[0],
        alpha=0.7,
    )
    drawn[0].set_hatch("/////")
    axis.axvline(bars[0].value, color=theme.ink, linewidth=0.6, linestyle=(0, (3, 2)))
    axis.errorbar(
        [bar.value for bar in bars],
        places,
        xerr=[[bar.below for bar in bars], [bar.above for bar in bars]],
        label="95 % interval",
        color=theme.ink,
        linestyle="none",
        linewidth=1,
        capsize=2,
    )
    seeds = [
        (value, place + 0.22)
        for place, bar in enumerate(bars)
        for value in bar.seeds
        if len(bar.seeds) > 1
    ]
    if seeds:
        axis.scatter(
            [value for value, _ in seeds],
            [height for _, height in seeds],
            s=9,
            label="a seed",
            color=theme.lines[1],
            edgecolors=theme.ground,
            linewidths=0.4,
            zorder=3,
        )
    for place, bar in enumerate(bars):
        label = axis.text(0, place, f" {bar.value:.1f} ", va="center", fontsize=7)
        if place == 0:
            label.set_bbox({"facecolor": theme.ground, "edgecolor": "none", "pad": 0.5})
    axis.set_yticks(places, [bar.name for bar in bars])
    axis.set_ylim(len(bars) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    axis.tick_params(axis="y", length=0)
