"""What the commands that index a data set share."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from samr1.cli.parser import Parser
from samr1.cli.score_options import parse_name
from samr1.core.files import write_table


def index_parser(name: str, description: str | None) -> Parser:
    """A parser for the command `name`, with the options of every data set."""
    parser = Parser(prog=f"python -m samr1.cli.{name}", description=description)
    parser.add_argument("--root", type=Path, required=True, help="data root")
    parser.add_argument(
        "--split", type=parse_name, required=True, help="train, val, test, testA or testB"
    )
    add_on_bad_sample(parser)
    parser.add_argument(
        "--check-counts",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="stop where the split is not as large as published (default: check)",
    )
    parser.add_argument("--output", type=Path, required=True, help="samples (Parquet) to write")
    return parser


def add_on_bad_sample(parser: Parser) -> None:
    """The option of what to do with a bad sample."""
    parser.add_argument(
        "--on-bad-sample",
        choices=("stop", "skip"),
        default="stop",
        help="stop at a bad sample, or skip it and say how many (default: %(default)s)",
    )


def add_sentences(parser: Parser) -> None:
    """The option of which sentences of a ref to ask."""
    parser.add_argument(
        "--sentences",
        choices=("first", "all"),
        default="first",
        help="one row a ref, or one a sentence (default: %(default)s)",
    )


def write_samples(
    arguments: argparse.Namespace, read: Callable[..., pa.Table], *names: str
) -> None:
    """Write the samples that `read` finds by the options of these names, which stay with them."""
    options = {name: getattr(arguments, name) for name in names}
    samples = read(arguments.root, **options, check_counts=arguments.check_counts)
    write_table(arguments.output, samples, {"config": json.dumps(options)})
