"""Draw how long responses and thoughts are, by step of training and by answer to benchmarks."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.figure_options import add_answers, figure_parser, read_outputs
from samr1.core.errors import run_command
from samr1.report.figures.answers import read_answers
from samr1.report.figures.lengths import draw_lengths


def main() -> None:
    """Parse, read, draw."""
    parser = figure_parser("draw_lengths", __doc__)
    parser.add_argument(
        "--training",
        type=Path,
        nargs="+",
        required=True,
        help="training metrics, .../{run}/seed_{seed}.parquet; the first run stands out",
    )
    add_answers(parser)
    arguments = parser.parse_args()
    answers = read_answers(arguments.samples, arguments.predictions, arguments.titles)
    draw_lengths(arguments.training, answers, read_outputs(arguments))


if __name__ == "__main__":
    run_command(main)
