"""Index one split of RefCOCO, RefCOCO+ or RefCOCOg: read its files, write its samples."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from samr1.data import refer
from samr1.errors import run_command
from samr1.files import write_table


def main() -> None:
    """Parse, read, write."""
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.index_refer", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="data root, with train2014/ in it")
    parser.add_argument("--dataset", choices=refer.DATASETS, required=True)
    parser.add_argument("--split-by", required=True, help="unc, umd or google: which refs(…).p")
    parser.add_argument("--split", required=True, help="train, val, test, testA or testB")
    parser.add_argument(
        "--sentences",
        choices=("first", "all"),
        default="first",
        help="one row a ref, or one a sentence (default: %(default)s)",
    )
    parser.add_argument(
        "--on-bad-sample",
        choices=("stop", "skip"),
        default="stop",
        help="stop at a bad sample, or skip it and say how many (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, required=True, help="samples (Parquet) to write")
    arguments = parser.parse_args()
    options = {
        name: getattr(arguments, name)
        for name in ("dataset", "split_by", "split", "sentences", "on_bad_sample")
    }
    samples = refer.read(arguments.root, **options)
    write_table(arguments.output, samples, {"config": json.dumps(options)})


if __name__ == "__main__":
    run_command(main)
