"""Write the page of data of one's own: its runs before and after training, side by side."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.core.files import read_table
from samr1.core.schemas import SAMPLES
from samr1.report.own import write_own_page
from samr1.report.tables.measured import Measurements


def main() -> None:
    """Parse, read, write."""
    parser = Parser(prog="python -m samr1.cli.report_own", description=__doc__)
    add = parser.add_argument
    add("--own", required=True, metavar="NAME", help="the data set, as in own_data.yaml")
    add("--samples", type=Path, required=True, help="samples of its test part (Parquet)")
    add("--metrics", type=Path, nargs="+", required=True, help="metrics of its runs and bases")
    add("--comparisons", type=Path, nargs="+", required=True, help="paired comparisons of them")
    add("--examples", type=Path, required=True, help="picture of some questions (PNG)")
    add("--curves", type=Path, required=True, help="picture of the training curves (PNG)")
    add("--gallery", type=Path, required=True, help="page of every answer, to link to")
    add("--data", type=Path, required=True, help="page of check_dataset, to link to")
    add("--policies", type=Path, nargs="+", required=True, help="folders of its trained policies")
    add(
        "--micro-world",
        metavar="SCALE",
        help="the scale, where it is of the drawn world and the tiny models",
    )
    add(
        "--asked-otherwise",
        nargs=4,
        action="append",
        default=[],
        metavar=("BASE", "DIALECT", "RUN", "DIALECT"),
        help="a run that is asked in another dialect than its base (may be given several times)",
    )
    add("--output", type=Path, required=True, help="page (HTML) to write")
    given = parser.parse_args()
    write_own_page(
        given.output,
        given.own,
        read_table(given.samples, SAMPLES),
        Measurements(given.metrics),
        given.comparisons,
        examples=given.examples,
        curves=given.curves,
        gallery=given.gallery,
        data_page=given.data,
        policies=given.policies,
        asked_otherwise=given.asked_otherwise,
        micro_world=given.micro_world,
    )


if __name__ == "__main__":
    run_command(main)
