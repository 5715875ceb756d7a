"""A table's page for a browser: the Markdown's cells, nothing that runs and nothing to load."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from samr1.core.errors import UserError
from samr1.report.tables.html import render_table
from samr1.report.tables.markdown import aligned_table

PAGE = """> **Micro world** (scale `smoke`): not comparable.

## Table 9. A <script>alert(1)</script> title

{table}

All figures in percent. As data: [table_9.parquet](table_9.parquet); [the paper](https://arxiv.org/).
"""


class Reader(HTMLParser):
    """The page's rows of cells, and its tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and "</table>" not in data:
            self.rows[-1][-1] += data


def test_the_page_holds_the_tables_cells_and_needs_nothing_else(tmp_path: Path) -> None:
    rows = [["`sam_r1`", "**62.5** [59.1, 65.8]"], ["a | b & <b>c</b>", ""]]
    page, output = tmp_path / "table_9.md", tmp_path / "table_9.html"
    page.write_text(PAGE.format(table=aligned_table(["Method", "gIoU"], rows)), encoding="utf-8")
    render_table(page, output)
    text = output.read_text(encoding="utf-8")
    reader = Reader(text[text.index("<table>") : text.index("</table>")])
    assert [[cell.strip() for cell in row] for row in reader.rows] == [
        ["Method", "gIoU"],
        ["sam_r1", "62.5 [59.1, 65.8]"],
        ["a | b & <b>c</b>", "–"],
    ]
    assert "</strong> <wbr>[59.1, 65.8]" in text  # where it may break, and nowhere else
    tags = Reader(text).tags
    assert [tag for tag, _ in tags].count("wbr") == 1
    assert {"script", "b", "img", "link", "iframe"}.isdisjoint(tag for tag, _ in tags)
    assert [attributes["href"] for tag, attributes in tags if tag == "a"] == ["https://arxiv.org/"]
    assert "<code>table_9.parquet</code>" in text
    assert "<title>Table 9. A &lt;script&gt;" in text


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"table_9.md: no such file; make the table first"):
        render_table(tmp_path / "table_9.md", tmp_path / "table_9.html")
    assert not list(tmp_path.iterdir())
