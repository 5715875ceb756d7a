"""Collect the Markdown of all tables on one page."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.report.tables.collect import collect_tables


def main() -> None:
    """Read the pages, write them as one."""
    parser = Parser(prog="python -m samr1.cli.collect_tables", description=__doc__)
    parser.add_argument(
        "--tables", type=Path, nargs="+", required=True, help="the tables' Markdown files"
    )
    parser.add_argument("--output", type=Path, required=True, help="the page that holds them all")
    arguments = parser.parse_args()
    collect_tables(arguments.tables, arguments.output)


if __name__ == "__main__":
    run_command(main)
