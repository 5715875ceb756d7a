"""Table 2: referring segmentation, and the overlap of the training sample with each benchmark."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.table_options import read_inputs, table_parser
from samr1.core.errors import run_command
from samr1.report.tables.overlap import training_overlap
from samr1.report.tables.page import publish_table


def main() -> None:
    """Read the metrics, write the table as Parquet and Markdown."""
    parser = table_parser("table_2", __doc__)
    parser.add_argument(
        "--training-samples", type=Path, required=True, help="the drawn training sample"
    )
    parser.add_argument(
        "--benchmark-samples",
        type=Path,
        nargs="+",
        required=True,
        help="samples of the benchmarks, each file named after its benchmark",
    )
    arguments = parser.parse_args()
    inputs = read_inputs("table_2", arguments)
    publish_table(
        "table_2",
        inputs.table,
        inputs.measurements,
        inputs.setting,
        inputs.outputs,
        training_overlap(arguments.training_samples, arguments.benchmark_samples),
        inputs.measured,
    )


if __name__ == "__main__":
    run_command(main)
