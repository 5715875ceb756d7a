"""Index one split of RefCOCO, RefCOCO+ or RefCOCOg: read its files, write its samples."""

from __future__ import annotations

import json

from samr1.cli.index_options import add_sentences, index_parser
from samr1.core.errors import run_command
from samr1.core.files import write_table
from samr1.data import refer


def main() -> None:
    """Parse, read, write."""
    parser = index_parser("index_refer", __doc__)
    parser.add_argument("--dataset", choices=refer.DATASETS, required=True)
    parser.add_argument("--split-by", required=True, help="unc, umd or google: which refs(…).p")
    add_sentences(parser)
    arguments = parser.parse_args()
    options = {
        name: getattr(arguments, name)
        for name in ("dataset", "split_by", "split", "sentences", "on_bad_sample")
    }
    samples = refer.read(arguments.root, **options, check_counts=arguments.check_counts)
    write_table(arguments.output, samples, {"config": json.dumps(options)})


if __name__ == "__main__":
    run_command(main)
