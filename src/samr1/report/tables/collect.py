"""All tables on one page: `results/tables/README.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samr1.core.errors import UserError
from samr1.core.files import write_text
from samr1.report.tables.markdown import join_blocks, link_to, read_markdown


def collect_tables(pages: Sequence[Path], output: Path) -> None:
    """Write the pages one below the other, in the order of their names, to `output`.

    The note that measured figures are not comparable, where the pages open with it, is said once,
    in the first line. Raises UserError where a page is missing, or where the pages' notes differ:
    then they are of different scales.
    """
    by_name = sorted(pages, key=lambda page: page.name)
    notes, bodies = zip(*map(_read_page, by_name), strict=True)
    if len(set(notes)) > 1:
        raise UserError(
            f"{', '.join(str(page) for page in pages)}: these tables are of different scales; make "
            "them all at one scale."
        )
    titles = [body.partition("\n")[0].lstrip("# ") for body in bodies]
    contents = [
        f"- {title} ({link_to(page, output)})" for title, page in zip(titles, by_name, strict=True)
    ]
    head = [notes[0]] if notes[0] else []
    write_text(output, join_blocks([*head, "# Tables", "\n".join(contents), *bodies]))


def _read_page(page: Path) -> tuple[str, str]:
    """A page's note ("" where it has none) and the rest; raises UserError where it is missing."""
    first, _, rest = read_markdown(page).partition("\n")
    if first.startswith(">"):
        return first, rest.strip()
    return "", f"{first}\n{rest}".strip()
