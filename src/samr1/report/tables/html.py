"""Markdown as a page for a browser, a table's and that of data of one's own: one file."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from markdown import Markdown

from samr1.core.files import write_text
from samr1.report.tables.markdown import read_markdown

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; }}
h2 {{ font-size: 1.25rem; }}
blockquote {{ margin: 0; padding: 0.2rem 1rem; border-left: 4px solid #D55E00; }}
p:not(:has(img)), blockquote {{ max-width: 50rem; }}
img {{ max-width: min(100%, 64rem); }}
div {{ overflow-x: auto; }}
div::-webkit-scrollbar {{ height: 0.6rem; }}
div::-webkit-scrollbar-thumb {{ background: #8C8C8C; }}
table {{ border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.3rem 0.5rem; border-bottom: 1px solid #8C8C8C66; white-space: nowrap; }}
th {{ text-align: left; vertical-align: bottom; white-space: normal; border-color: currentColor; }}
td:first-child {{ white-space: normal; min-width: 8rem; }}
</style>
{body}
</html>
"""


def render_table(page: Path, output: Path) -> None:
    """Write the Markdown `page` of a table as HTML, light or dark as the reader's browser is.

    Links to files beside the page become plain names, because a report holds the page alone. Raises
    UserError where the page is missing.
    """
    text = read_markdown(page)
    body = re.sub(r'<a href="(?!https?:)[^"]*">(.*?)</a>', r"<code>\1</code>", _convert(text))
    _write(text, body, output)


def write_page(text: str, output: Path) -> None:
    """Write Markdown as HTML, links and pictures as they are."""
    _write(text, _convert(text), output)


def _convert(text: str) -> str:
    reader = Markdown(extensions=["tables"])
    reader.preprocessors.deregister("html_block")  # a name that looks like a tag is no tag
    reader.inlinePatterns.deregister("html")
    body = reader.convert(text)
    # Where the page is narrow, an interval goes below its value.
    body = re.sub(r"(?<= )(?=\[[−+.\d]+, [−+.\d]+\])", "<wbr>", body)
    return body.replace("<table>", "<div><table>").replace("</table>", "</table></div>")


def _write(text: str, body: str, output: Path) -> None:
    title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")
    write_text(output, _PAGE.format(title=escape(title), body=body))
