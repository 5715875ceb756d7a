"""Index a Parquet mirror of ReasonSeg or a RefCOCO set, its images unpacked: write its samples."""

from __future__ import annotations

from samr1.cli.index_options import add_sentences, index_parser, write_samples
from samr1.cli.score_options import parse_name
from samr1.core.errors import run_command
from samr1.data import mirror


def main() -> None:
    """Parse, read, write."""
    parser = index_parser("index_mirror", __doc__)
    parser.add_argument("--mirror", required=True, help="its name on the hub, owner/name@commit")
    parser.add_argument("--dataset", choices=mirror.DATASETS, required=True)
    parser.add_argument(
        "--split-by", type=parse_name, help="unc, umd or google: who made the split (RefCOCO sets)"
    )
    add_sentences(parser)
    arguments = parser.parse_args()
    if (arguments.split_by is None) != (arguments.dataset == "reasonseg"):
        parser.error("--split-by must be given for RefCOCO sets and only there")
    if arguments.sentences == "all" and arguments.dataset == "reasonseg":
        parser.error("--sentences must be first for reasonseg")
    names = ("dataset", "split", "mirror", "split_by", "sentences", "on_bad_sample")
    write_samples(arguments, mirror.read, *names)


if __name__ == "__main__":
    run_command(main)
