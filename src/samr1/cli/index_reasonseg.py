"""Index one split of ReasonSeg or LISA-Grounding from the files under ROOT/ReasonSeg."""

from __future__ import annotations

from typing import get_args

from samr1.cli.index_options import index_parser, write_samples
from samr1.core.errors import run_command
from samr1.data import reasonseg


def main() -> None:
    """Parse, read, write."""
    parser = index_parser("index_reasonseg", __doc__)
    parser.add_argument("--dataset", choices=get_args(reasonseg.Dataset), required=True)
    write_samples(parser.parse_args(), reasonseg.read, "dataset", "split", "on_bad_sample")


if __name__ == "__main__":
    run_command(main)
