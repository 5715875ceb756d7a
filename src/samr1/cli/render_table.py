"""Turn a table's Markdown into a page for a browser."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.report.tables.html import render_table


def main() -> None:
    """Parse, render."""
    parser = Parser(prog="python -m samr1.cli.render_table", description=__doc__)
    parser.add_argument("--table", type=Path, required=True, help="the table's Markdown")
    parser.add_argument("--output", type=Path, required=True, help="the page (HTML) to write")
    arguments = parser.parse_args()
    render_table(arguments.table, arguments.output)


if __name__ == "__main__":
    run_command(main)
