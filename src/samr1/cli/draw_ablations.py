"""Draw the measured figures of Tables 4 and 5 as bars with their 95 % intervals."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.figure_options import figure_parser, read_outputs
from samr1.config.published import TableStage
from samr1.config.schema import load_stage
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
        "--tables", type=Path, nargs="+", required=True, help="the tables' stages (YAML)"
    )
    arguments = parser.parse_args()
    stages = [load_stage(path, TableStage) for path in arguments.tables]
    tables = {one.name.replace("_", " ").capitalize(): one.table for one in stages}
    draw_ablations(tables, Measurements(arguments.metrics), read_outputs(arguments))


if __name__ == "__main__":
    run_command(main)
