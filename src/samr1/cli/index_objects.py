"""Index all annotated objects of a benchmark's images, so that an answer can be of a wrong one."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.core.files import write_table
from samr1.data.objects import read_objects
from samr1.data.samples import load_samples


def main() -> None:
    """Parse, read, write."""
    parser = Parser(prog="python -m samr1.cli.index_objects", description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument(
        "--instances", type=Path, required=True, help="the images' annotations (COCO JSON)"
    )
    parser.add_argument("--output", type=Path, required=True, help="objects (Parquet) to write")
    arguments = parser.parse_args()
    objects = read_objects(arguments.instances, load_samples(arguments.samples))
    write_table(arguments.output, objects)


if __name__ == "__main__":
    run_command(main)
