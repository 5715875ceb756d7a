"""Draw one of the figures, for print and for a screen."""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.figure import Figure

from samr1.cli.parser import Parser
from samr1.config.published import TableStage
from samr1.config.schema import load_stage
from samr1.core.errors import run_command
from samr1.report.figures.ablations import draw_ablations
from samr1.report.figures.curves import draw_curves
from samr1.report.figures.examples import draw_examples
from samr1.report.figures.figure_4 import draw_figure_4
from samr1.report.figures.style import write_figure
from samr1.report.predictions import read_answers, read_pairs
from samr1.report.tables.markdown import name_table
from samr1.report.tables.measured import Measurements

# What each figure is drawn of.
NEEDS = {
    "ablations": ("tables", "metrics"),
    "curves": ("training",),
    "examples": ("samples", "titles", "predictions", "root"),
    "figure_4": ("training", "samples", "titles", "predictions"),
}


def main() -> None:
    """Parse, read, draw."""
    parser = _parser()
    arguments = parser.parse_args()
    for name in NEEDS[arguments.figure]:
        if getattr(arguments, name) is None:
            parser.error(f"{arguments.figure} needs --{name}")
    write_figure(arguments.output, arguments.micro_world, lambda: _draw(arguments))


def _draw(given: argparse.Namespace) -> Figure:
    match given.figure:
        case "ablations":
            stages = [load_stage(path, TableStage) for path in given.tables]
            tables = {name_table(one.name): one.table for one in stages}
            return draw_ablations(tables, Measurements(given.metrics))
        case "curves":
            return draw_curves(given.training)
        case "examples":
            answers = read_answers(given.samples, given.predictions, given.titles)
            return draw_examples(answers[0], given.root)
    pairs = read_pairs(given.samples, given.predictions, given.titles)
    return draw_figure_4(given.training, pairs[0])


def _parser() -> Parser:
    parser = Parser(prog="python -m samr1.cli.draw_figure", description=__doc__)
    parser.add_argument("figure", choices=NEEDS, help="which one")
    add = parser.add_argument
    add("--training", type=Path, nargs="+", help=".../{run}/seed_{seed}.parquet, in their order")
    add("--samples", type=Path, nargs="+", help=".../{benchmark}.parquet")
    add("--titles", nargs="+", help="the benchmarks' names, in the same order")
    add(
        "--predictions",
        type=Path,
        nargs="+",
        help="two runs' answers, .../{run}/seed_{seed}/{benchmark}.parquet; the first run's are "
        "what the second's are compared with",
    )
    add("--root", type=Path, help="data root, for the images")
    add("--metrics", type=Path, nargs="+", help="metrics.parquet files, any order")
    add("--tables", type=Path, nargs="+", help="the tables' stages (YAML, of write_config)")
    add(
        "--micro-world",
        metavar="SCALE",
        help="the scale, where it is of the drawn world and the tiny models",
    )
    add("--output", type=Path, nargs="+", required=True, help="files to write, .pdf or .png")
    return parser


if __name__ == "__main__":
    run_command(main)
