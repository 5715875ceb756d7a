"""Index one split of LISA-Grounding: read ReasonSeg's files, write its samples."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from samr1.data import reasonseg
from samr1.errors import run_command
from samr1.files import write_table


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(
        prog="python -m samr1.cli.index_lisa_grounding", description=__doc__
    )
    parser.add_argument("--root", type=Path, required=True, help="data root, with ReasonSeg/ in it")
    parser.add_argument("--split", required=True, help="train, val or test")
    parser.add_argument(
        "--on-bad-sample",
        choices=("stop", "skip"),
        default="stop",
        help="stop at a bad sample, or skip it and say how many (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, required=True, help="samples (Parquet) to write")
    arguments = parser.parse_args()
    options = {
        "dataset": "lisa_grounding",
        "split": arguments.split,
        "on_bad_sample": arguments.on_bad_sample,
    }
    samples = reasonseg.read(arguments.root, **options)
    write_table(arguments.output, samples, {"config": json.dumps(options)})


if __name__ == "__main__":
    run_command(main)
