"""All tables on one page: `results/tables/README.md`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samr1.core.errors import UserError
from samr1.core.files import atomic_file
from samr1.report.tables.markdown import link_to, read_markdown


def collect_tables(pages: Sequence[Path], output: Path) -> None:
    """Write the pages one below the other, in the order of their names, to `output`.

    The note that measured figures are of the micro world, where the pages open with it, is said
    once, in the first line. Raises UserError where a page is missing, or where the pages' notes
    differ: then they are of different scales.
    """
    notes: set[str] = set()
    contents: list[str] = []
    bodies: list[str] = []
    for page in sorted(pages, key=lambda page: page.name):
        said, body = read_page(page)
        notes.add(said)
        bodies.append(body)
        title = body.partition("\n")[0].lstrip("# ")
        contents.append(f"- {title} ({link_to(page, output)})")
    if len(notes) > 1:
        raise UserError(
            f"{', '.join(str(page) for page in pages)}: these tables are of different scales; make "
            "them all at one scale."
        )
    note = notes.pop() if notes else ""
    head = [note, ""] if note else []
    text = "\n".join([*head, "# Tables", "", *contents, "", "\n\n".join(bodies), ""])
    with atomic_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_page(page: Path) -> tuple[str, str]:
    """A page's note ("" where it has none) and the rest; raises UserError where it is missing."""
    first, _, rest = read_markdown(page).partition("\n")
    if first.startswith(">"):
        return first, rest.strip()
    return "", f"{first}\n{rest}".strip()
