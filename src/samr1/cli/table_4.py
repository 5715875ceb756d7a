"""Table 4: fixed reward thresholds against tiers."""

from __future__ import annotations

from samr1.cli.table_options import add_comparisons, read_inputs, table_parser
from samr1.core.errors import run_command
from samr1.report.tables.differences import Comparisons, differences_from_method
from samr1.report.tables.page import publish_table


def main() -> None:
    """Read the metrics, write the table as Parquet and Markdown."""
    parser = table_parser("table_4", __doc__)
    add_comparisons(parser)
    arguments = parser.parse_args()
    inputs = read_inputs("table_4", arguments)
    publish_table(
        "table_4",
        inputs.table,
        inputs.measurements,
        inputs.setting,
        inputs.outputs,
        differences_from_method(inputs.table, Comparisons.read(arguments.comparisons)),
        inputs.measured,
    )


if __name__ == "__main__":
    run_command(main)
