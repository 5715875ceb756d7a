"""Table 5: GRPO, token-level, clip-higher and both, with clip fractions and identical runs."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.table_options import add_comparisons, read_inputs, table_parser
from samr1.core.errors import run_command
from samr1.report.tables.clipping import clipping
from samr1.report.tables.differences import Comparisons, differences_from_method
from samr1.report.tables.page import publish_table


def main() -> None:
    """Read the metrics, write the table as Parquet and Markdown."""
    parser = table_parser("table_5", __doc__)
    parser.add_argument(
        "--training",
        type=Path,
        nargs="+",
        required=True,
        help="training metrics of the table's runs, .../{run}/seed_{seed}.parquet",
    )
    add_comparisons(parser)
    arguments = parser.parse_args()
    inputs = read_inputs("table_5", arguments)
    publish_table(
        "table_5",
        inputs.table,
        inputs.measurements,
        inputs.setting,
        inputs.outputs,
        differences_from_method(inputs.table, Comparisons.read(arguments.comparisons))
        + clipping(inputs.table, arguments.training, inputs.measurements),
        inputs.measured,
    )


if __name__ == "__main__":
    run_command(main)
