"""Draw what every step of training measured, for a few runs: a panel a quantity, a line a run."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.figure_options import figure_parser, read_outputs
from samr1.core.errors import run_command
from samr1.report.figures.curves import draw_curves


def main() -> None:
    """Parse, read, draw."""
    parser = figure_parser("draw_curves", __doc__)
    parser.add_argument(
        "--training",
        type=Path,
        nargs="+",
        required=True,
        help="training metrics, .../{run}/seed_{seed}.parquet; the runs are drawn in this order",
    )
    arguments = parser.parse_args()
    draw_curves(arguments.training, read_outputs(arguments))


if __name__ == "__main__":
    run_command(main)
