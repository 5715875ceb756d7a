"""Draw the gallery, Figure 3: every question with the answers of the runs, as one HTML page."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.report.gallery.kinds import list_kinds
from samr1.report.gallery.page import write_gallery
from samr1.report.predictions import read_answers


def main() -> None:
    """Parse, read, draw."""
    parser = Parser(prog="python -m samr1.cli.draw_gallery", description=__doc__)
    parser.add_argument(
        "--samples", type=Path, nargs="+", required=True, help="samples, .../{benchmark}.parquet"
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        required=True,
        help=".../{run}/seed_{seed}/{benchmark}.parquet; the first two runs are shown at first",
    )
    parser.add_argument(
        "--objects",
        type=Path,
        nargs="*",
        default=[],
        help="all objects of the images of some of them, .../{benchmark}.parquet",
    )
    parser.add_argument("--root", type=Path, required=True, help="data root, for the images")
    parser.add_argument("--scale", required=True, help="the scale that the runs are of")
    parser.add_argument(
        "--world-seed", type=int, help="seed of the drawn world, which knows what it drew"
    )
    parser.add_argument(
        "--micro-world",
        metavar="SCALE",
        help="the scale, where it is of the drawn world and the tiny models",
    )
    parser.add_argument("--output", type=Path, required=True, help="page (HTML) to write")
    arguments = parser.parse_args()
    names = [path.stem for path in arguments.samples]
    answers = read_answers(arguments.samples, arguments.predictions, names, arguments.objects)
    kinds = [list_kinds(one.samples, arguments.world_seed) for one in answers]
    drawn = arguments.micro_world is not None
    write_gallery(arguments.output, answers, kinds, arguments.root, arguments.scale, drawn)


if __name__ == "__main__":
    run_command(main)
