"""Take the images out of a Parquet mirror: from ROOT/mirrors to ROOT/mirror_images."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.index_options import add_on_bad_sample
from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.data.mirror_images import unpack_images


def main() -> None:
    """Parse, unpack."""
    parser = Parser(prog="python -m samr1.cli.unpack_mirror", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="data root")
    parser.add_argument("--mirror", required=True, help="its name on the hub, owner/name@commit")
    add_on_bad_sample(parser)
    arguments = parser.parse_args()
    unpack_images(arguments.root, arguments.mirror, arguments.on_bad_sample)


if __name__ == "__main__":
    run_command(main)
