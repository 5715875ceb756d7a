"""Draw how the answers' IoU spreads over the tiers of the reward, before and after training."""

from __future__ import annotations

from samr1.cli.figure_options import add_answers, figure_parser, read_outputs
from samr1.core.errors import run_command
from samr1.report.figures.answers import read_answers
from samr1.report.figures.histograms import draw_histograms


def main() -> None:
    """Parse, read, draw."""
    parser = figure_parser("draw_histograms", __doc__)
    add_answers(parser)
    arguments = parser.parse_args()
    answers = read_answers(arguments.samples, arguments.predictions, arguments.titles)
    draw_histograms(answers, read_outputs(arguments))


if __name__ == "__main__":
    run_command(main)
