"""The options that the figures' commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.report.figures.style import Outputs


def figure_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for the command `name`, with the outputs of every figure."""
    parser = argparse.ArgumentParser(prog=f"python -m samr1.cli.{name}", description=description)
    parser.add_argument(
        "--micro-world",
        metavar="SCALE",
        help="the scale, where its figures are not comparable with published ones",
    )
    parser.add_argument("--output-pdf", type=Path, required=True, help="the figure for print")
    parser.add_argument("--output-png", type=Path, required=True, help="for a light screen")
    parser.add_argument("--output-png-dark", type=Path, required=True, help="for a dark screen")
    return parser


def read_outputs(arguments: argparse.Namespace) -> Outputs:
    """Where the figure goes, and whether it is of the micro world."""
    return Outputs(
        arguments.output_pdf, arguments.output_png, arguments.output_png_dark, arguments.micro_world
    )


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Add the answers of two runs to some benchmarks."""
    parser.add_argument(
        "--samples", type=Path, nargs="+", required=True, help="samples, .../{benchmark}.parquet"
    )
    parser.add_argument(
        "--titles", nargs="+", required=True, help="the benchmarks' names, in the same order"
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        required=True,
        help="two runs' predictions, .../{run}/seed_{seed}/{benchmark}.parquet; the first run's "
        "are what the second's are compared with",
    )
