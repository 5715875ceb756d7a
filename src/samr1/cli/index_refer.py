"""Index one split of RefCOCO, RefCOCO+ or RefCOCOg: read its files, write its samples."""

from __future__ import annotations

from samr1.cli.index_options import add_sentences, index_parser, write_samples
from samr1.cli.score_options import parse_name
from samr1.core.errors import run_command
from samr1.data import refer


def main() -> None:
    """Parse, read, write."""
    parser = index_parser("index_refer", __doc__)
    parser.add_argument("--dataset", choices=refer.DATASETS, required=True)
    parser.add_argument(
        "--split-by", type=parse_name, required=True, help="unc, umd or google: which refs(…).p"
    )
    add_sentences(parser)
    names = ("dataset", "split_by", "split", "sentences", "on_bad_sample")
    write_samples(parser.parse_args(), refer.read, *names)


if __name__ == "__main__":
    run_command(main)
