"""Draw the measured figures of Tables 4 and 5 as bars with their 95 % intervals."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.figure_options import figure_parser, read_outputs
from samr1.core.errors import run_command
from samr1.report.figures.ablations import draw_ablations
from samr1.report.tables.measured import Measurements
from samr1.report.tables.published import load_published_table


def main() -> None:
    """Parse, read, draw."""
    parser = figure_parser("draw_ablations", __doc__)
    parser.add_argument(
        "--metrics", type=Path, nargs="+", required=True, help="metrics.parquet files, any order"
    )
    parser.add_argument(
        "--published", type=Path, required=True, help="YAML that names the tables' runs and columns"
    )
    arguments = parser.parse_args()
    tables = {
        f"Table {number}": load_published_table(arguments.published, f"table_{number}")
        for number in (4, 5)
    }
    draw_ablations(tables, Measurements(arguments.metrics), read_outputs(arguments))


if __name__ == "__main__":
    run_command(main)
