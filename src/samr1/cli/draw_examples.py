"""Draw a few questions with the answers of several runs: thought, box, point and mask."""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.core import schemas
from samr1.core.errors import run_command
from samr1.core.files import read_table
from samr1.data.samples import load_samples
from samr1.report.figures.examples import draw_examples


def main() -> None:
    """Parse, load, draw."""
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.draw_examples", description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument(
        "--predictions", type=Path, nargs="+", required=True, help="one file a run (Parquet)"
    )
    parser.add_argument("--runs", nargs="+", required=True, help="the runs' names, in that order")
    parser.add_argument("--root", type=Path, required=True, help="data root, for the images")
    parser.add_argument("--count", type=int, default=5, help="questions (default: 5)")
    parser.add_argument("--output", type=Path, required=True, help="picture (PNG) to write")
    arguments = parser.parse_args()
    if len(arguments.runs) != len(arguments.predictions):
        parser.error("--runs and --predictions must be equally many")
    tables = [read_table(path, schemas.PREDICTIONS) for path in arguments.predictions]
    draw_examples(
        load_samples(arguments.samples),
        list(zip(arguments.runs, tables, strict=True)),
        arguments.root,
        arguments.count,
        arguments.output,
    )


if __name__ == "__main__":
    run_command(main)
