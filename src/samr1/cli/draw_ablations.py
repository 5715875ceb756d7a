"""Draw the measured figures of Tables 4 and 5 as bars with their 95 % intervals."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.figure_options import figure_parser, read_outputs
from samr1.config.published import load_published
from samr1.core.errors import run_command
from samr1.report.figures.ablations import draw_ablations
from samr1.report.tables.measured import Measurements


def main() -> None:
    """Parse, read, draw."""
    parser = figure_parser("draw_ablations", __doc__)
    parser.add_argument(
        "--metrics", type=Path, nargs="+", required=True, help="metrics.parquet files, any order"
    )
    parser.add_argument(
        "--published", type=Path, required=True, help="YAML that names the tables' runs and columns"
    )
    parser.add_argument(
        "--runs", nargs="+", required=True, help="those of the tables' runs that there are"
    )
    arguments = parser.parse_args()
    tables = {
        name.replace("_", " ").capitalize(): table.only(arguments.runs)
        for name, table in load_published(arguments.published).ablations.items()
    }
    draw_ablations(tables, Measurements(arguments.metrics), read_outputs(arguments))


if __name__ == "__main__":
    run_command(main)
