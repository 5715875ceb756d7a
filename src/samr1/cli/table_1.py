"""Table 1: reasoning segmentation on ReasonSeg, and what training gained over the base policy."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.table_options import read_inputs, table_parser
from samr1.core.errors import run_command
from samr1.report.tables.gain import training_gain
from samr1.report.tables.page import publish_table


def main() -> None:
    """Read the metrics, write the table as Parquet and Markdown."""
    parser = table_parser("table_1", __doc__)
    parser.add_argument(
        "--comparisons",
        type=Path,
        nargs="*",
        default=[],
        help="paired comparisons of sam_r1 with base, for the interval of the gain",
    )
    arguments = parser.parse_args()
    inputs = read_inputs("table_1", arguments)
    publish_table(
        "table_1",
        inputs.table,
        inputs.measurements,
        inputs.setting,
        inputs.outputs,
        training_gain(inputs.measurements, arguments.comparisons),
        inputs.measured,
    )


if __name__ == "__main__":
    run_command(main)
