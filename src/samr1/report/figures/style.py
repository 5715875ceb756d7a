"""The look that all figures share, and how a figure is written: for print, and for two screens.

Colours are Okabe and Ito's, which colour-blind readers tell apart; whatever a colour says, a dash,
a marker or a hatch says too. A figure is drawn on white, as PDF for print and PNG for a screen, and
once more on a dark ground.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.style import context

from samr1.core.files import atomic_file

WIDTH = 7.0  # inches: the text of a page, both columns
_DPI = 200
_NOTE = "Micro world (scale {scale}): not comparable with published figures."
_NOTE_HEIGHT = 0.14  # inches


@dataclass(frozen=True)
class Theme:
    """The colours of one ground; `lines` are told apart in this order."""

    ground: str
    ink: str
    faint: str  # grids, frames, and what is there for comparison
    lines: tuple[str, ...]

    def line(self, index: int) -> dict[str, Any]:
        """Colour, dash and marker of the `index`-th line, as keywords of `plot`."""
        return {
            "color": self.lines[index % len(self.lines)],
            "linestyle": _DASHES[index % len(_DASHES)],
            "marker": _MARKERS[(index + index // len(_DASHES)) % len(_MARKERS)],
        }


_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)), "-")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

LIGHT = Theme(
    ground="#FFFFFF",
    ink="#000000",
    faint="#8C8C8C",
    lines=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
)
DARK = Theme(
    ground="#0D1117",
    ink="#E6EDF3",
    faint="#7D8590",
    lines=("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#E6EDF3"),
)


@dataclass(frozen=True)
class Outputs:
    """Where a figure goes: for print, and for a light and a dark screen; and what it is of.

    `micro_world` is the scale, where what it shows is not comparable with published figures.
    """

    pdf: Path
    png: Path
    png_dark: Path
    micro_world: str | None


def write_figure(
    outputs: Outputs, size: tuple[float, float], draw: Callable[[Figure, Theme], None]
) -> None:
    """Draw a figure of `size` (inches) in both themes; the same figure is the same bytes.

    What is not comparable with published figures says so at its head.
    """
    note = _NOTE.format(scale=outputs.micro_world) if outputs.micro_world else ""
    head = _NOTE_HEIGHT / size[1] if note else 0.0
    for theme, paths in ((LIGHT, (outputs.pdf, outputs.png)), (DARK, (outputs.png_dark,))):
        with context(_settings(theme), after_reset=True):  # whatever a user's own file says
            layout = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - head))
            figure = Figure(figsize=size, layout=layout)
            draw(figure, theme)
            figure.text(0.995, 0.998, note, ha="right", va="top", fontsize=6, color=theme.faint)
            for path in paths:
                _save(figure, path)
                figure.set_layout_engine("none")  # it stays as it was laid out, which is slow


def add_legend(figure: Figure, *axes: Axes) -> None:
    """A legend below all panels, of what is labelled in `axes`, each name once."""
    shown = {
        name: handle
        for axis in axes
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=len(shown))


def _save(figure: Figure, path: Path) -> None:
    # Without dates and the library's version in the file, the same picture is the same bytes.
    empty: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    kind = path.suffix.removeprefix(".")
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        figure.savefig(file, format=kind, dpi=_DPI, metadata=empty[kind])


def _settings(theme: Theme) -> dict[str, Any]:
    """What differs from Matplotlib's own settings."""
    return {
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7.5,
        "legend.frameon": False,
        "legend.handlelength": 3,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.6,
        "axes.edgecolor": theme.faint,
        "axes.facecolor": theme.ground,
        "axes.labelcolor": theme.ink,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.faint,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.5,
        "figure.facecolor": theme.ground,
        "savefig.facecolor": theme.ground,
        "text.color": theme.ink,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "lines.linewidth": 1.4,
        "lines.markersize": 3.5,
        "pdf.fonttype": 42,  # fonts a reader can search
    }


def mark_every(count: int, index: int, lines: int) -> tuple[int, int]:
    """`markevery` of one of several curves of `count` points: few markers, and not on others'."""
    gap = max(count // 4, 1)
    return (gap * index // max(lines, 1), gap)
