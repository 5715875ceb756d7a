"""Figure 4: training without the KL term, and where the points of the two point rewards fall."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.figure_options import figure_parser, read_outputs
from samr1.core.errors import run_command
from samr1.data.samples import load_samples
from samr1.report.figures.answers import read_predictions
from samr1.report.figures.figure_4 import draw_figure_4


def main() -> None:
    """Parse, read, draw."""
    parser = figure_parser("figure_4", __doc__)
    parser.add_argument(
        "--training",
        type=Path,
        nargs="+",
        required=True,
        help="training metrics for panel (a), .../{run}/seed_{seed}.parquet, in the order to draw",
    )
    parser.add_argument("--samples", type=Path, required=True, help="a benchmark's samples")
    parser.add_argument(
        "--any",
        type=Path,
        nargs="+",
        required=True,
        help="predictions for panel (b)",
    )
    parser.add_argument(
        "--inside", type=Path, nargs="+", required=True, help="predictions for panel (c)"
    )
    arguments = parser.parse_args()
    samples = load_samples(arguments.samples)
    draw_figure_4(
        arguments.training,
        samples,
        [read_predictions(path, samples) for path in arguments.any],
        [read_predictions(path, samples) for path in arguments.inside],
        read_outputs(arguments),
    )


if __name__ == "__main__":
    run_command(main)
