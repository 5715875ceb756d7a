"""The look that all figures share, and how a figure is written: for print, and for a screen.

Colours are Okabe and Ito's, which colour-blind readers tell apart; whatever a colour says, a dash,
a marker or a hatch says too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.style import context

from samr1.core.errors import UserError
from samr1.core.files import atomic_file

WIDTH = 7.0  # inches: the text of a page, both columns
DPI = 200
GROUND, INK = "#FFFFFF", "#000000"
FAINT = "#8C8C8C"  # grids, frames, and what is there for comparison
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)), "-")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_NOTE = "Micro world (scale {scale}): not comparable with published figures."
_NOTE_HEIGHT = 0.14  # inches

# What differs from Matplotlib's own settings.
_SETTINGS = {
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
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "text.parse_math": False,  # a question's dollar signs are its own
    "pdf.fonttype": 42,  # fonts a reader can search
}
# Without dates and the library's version in the file, the same picture is the same bytes.
_NAMELESS: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def line_look(index: int) -> dict[str, Any]:
    """Colour, dash and marker of the `index`-th line, as keywords of `plot`."""
    return {
        "color": LINES[index % len(LINES)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "marker": _MARKERS[(index + index // len(_DASHES)) % len(_MARKERS)],
    }


def write_figure(
    outputs: Sequence[Path], micro_world: str | None, draw: Callable[[], Figure]
) -> None:
    """Write what `draw` returns as PDF for print and PNG for a screen; the same bytes each time.

    What is of the drawn world, at the scale `micro_world`, says at its head that it is not
    comparable with published figures. Raises UserError where an output is neither PDF nor PNG.
    """
    for path in outputs:
        if path.suffix not in _NAMELESS:
            raise UserError(f"{path}: a figure is a .pdf or a .png; name it so.")
    with context(_SETTINGS, after_reset=True):  # whatever a user's own file says
        figure = draw()
        head = _NOTE_HEIGHT / figure.get_figheight() if micro_world else 0.0
        figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - head)))
        note = _NOTE.format(scale=micro_world) if micro_world else ""
        figure.text(0.995, 0.998, note, ha="right", va="top", fontsize=6, color=FAINT)
        for path in outputs:
            with atomic_file(path) as temporary, temporary.open("wb") as file:
                kind = path.suffix.removeprefix(".")
                figure.savefig(file, format=kind, dpi=DPI, metadata=_NAMELESS[path.suffix])
            figure.set_layout_engine("none")  # it stays as it was laid out, which is slow


def make_panels(
    count: int, columns: int, height: float, around: float
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of `height` inches, `columns` in a row, with space `around`."""
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, around + height * rows))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, axes[:count]


def add_legend(figure: Figure, *axes: Axes) -> None:
    """A legend below all panels, of what is labelled in `axes`, each name once."""
    shown = {
        name: handle
        for axis in axes
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=len(shown))


def mark_every(count: int, index: int, lines: int) -> tuple[int, int]:
    """`markevery` of one of several curves of `count` points: few markers, and not on others'."""
    gap = max(count // 4, 1)
    return (gap * index // max(lines, 1), gap)
