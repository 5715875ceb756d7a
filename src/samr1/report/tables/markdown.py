"""Markdown that reads well as plain text: aligned pipes, percent with one decimal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from samr1.core.reading import read_utf8
from samr1.report.tables.measured import Estimate

EMPTY = "–"


def aligned_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose pipes stand in line; the first column is set left, the rest right."""
    cells = [[cell.replace("|", "\\|") or EMPTY for cell in line] for line in (header, *rows)]
    widths = [max(3, *(len(line[i]) for line in cells)) for i in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        for line in cells
    ]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def join_blocks(blocks: Iterable[str]) -> str:
    """Headings, paragraphs and tables as one text, an empty line between them."""
    return "\n\n".join(block.strip("\n") for block in blocks) + "\n"


def percent(value: float | None, signed: bool = False) -> str:
    """`value` in 0–1 as percent with one decimal; an empty cell for None."""
    if value is None:
        return EMPTY
    rounded = round(100 * value, 1) + 0.0  # + 0.0 turns -0.0 into 0.0
    text = f"{rounded:+.1f}" if signed else f"{rounded:.1f}"
    return text.replace("-", "−")


def interval(low: float | None, high: float | None, signed: bool = False) -> str:
    """A 95 % interval in percent, in brackets; an empty cell where a bound is unknown."""
    if low is None or high is None:
        return EMPTY
    return f"[{percent(low, signed)}, {percent(high, signed)}]"


def measured_cell(figure: Estimate | None, bounded: bool = True) -> str:
    """A measured figure in bold, ± its deviation over several seeds, and its interval if wished."""
    if figure is None:
        return EMPTY
    spread = "" if figure.sd is None else f" ± {percent(figure.sd)}"
    bounds = (figure.ci_low, figure.ci_high) if bounded else (None, None)
    return f"**{percent(figure.value)}{spread}** {interval(*bounds)}"


def name_table(name: str) -> str:
    """A table's name as readers know it.

    >>> name_table("table_4")
    'Table 4'
    """
    return name.replace("_", " ").capitalize()


def read_markdown(page: Path) -> str:
    """The page of a table; raises UserError where it is missing, or none."""
    return read_utf8(page, "make the table first")


def link_to(target: Path, page: Path, words: str | None = None) -> str:
    """A link to `target`, relative to the file `page`; its name where there are no `words`."""
    relative = os.path.relpath(target.absolute(), page.absolute().parent)
    return f"[{words or target.name}]({Path(relative).as_posix()})"
