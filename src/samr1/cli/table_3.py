"""Table 3: boxes on LISA-Grounding, by mean IoU and by accuracy at IoU > 0.5."""

from __future__ import annotations

from samr1.cli.table_options import read_inputs, table_parser
from samr1.core.errors import run_command
from samr1.report.tables.page import Addition, publish_table


def main() -> None:
    """Read the metrics, write the table as Parquet and Markdown."""
    parser = table_parser("table_3", __doc__)
    arguments = parser.parse_args()
    inputs = read_inputs("table_3", arguments)
    publish_table(
        "table_3",
        inputs.table,
        inputs.measurements,
        inputs.setting,
        inputs.outputs,
        Addition(),
        inputs.measured,
    )


if __name__ == "__main__":
    run_command(main)
