"""Make one table: the published figures beside the measured ones, and what it says below."""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.published import TableStage
from samr1.config.schema import load_stage
from samr1.core.errors import UserError, run_command
from samr1.report.tables.clipping import clipping
from samr1.report.tables.differences import Comparisons, table_differences
from samr1.report.tables.gain import training_gain
from samr1.report.tables.html import render_table
from samr1.report.tables.layout import Addition
from samr1.report.tables.measured import Measurements
from samr1.report.tables.overlap import training_overlap
from samr1.report.tables.page import publish_table
from samr1.report.tables.sentences import list_sentences


def main() -> None:
    """Read, write the table as Parquet, Markdown and HTML."""
    arguments = _parser().parse_args()
    stage = load_stage(arguments.config, TableStage)
    measurements = Measurements(arguments.metrics)
    addition = _say_below(stage, measurements, arguments)
    publish_table(stage, measurements, addition, arguments.output_parquet, arguments.output_md)
    render_table(arguments.output_md, arguments.output_html)


def _say_below(
    stage: TableStage, measurements: Measurements, arguments: argparse.Namespace
) -> Addition:
    """What the table has below its rows, by its keys in published.yaml."""
    table, addition = stage.table, Addition()
    comparisons = Comparisons.read(arguments.comparisons)
    if table.gain_on:
        addition += training_gain(table.gain_on, stage.labels, measurements, comparisons)
    if table.every_sentence:
        addition += list_sentences(table, stage.labels, measurements)
    if table.overlap:
        if arguments.training_samples is None:
            raise UserError(f"{stage.name} shows the overlap of images: give --training-samples.")
        samples = arguments.training_samples, arguments.benchmark_samples
        addition += training_overlap(*samples, stage.labels)
    if table.compared_with:
        addition += table_differences(table, stage.labels, comparisons)
    if table.clipping:
        addition += clipping(table, arguments.training)
    return addition


def _parser() -> Parser:
    parser = Parser(prog="python -m samr1.cli.make_table", description=__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="the table's stage (YAML, of write_config)"
    )
    parser.add_argument(
        "--metrics", type=Path, nargs="+", required=True, help="metrics.parquet files, any order"
    )
    for name, what in (
        ("comparisons", "paired comparisons (of compare_runs), where the table shows any"),
        ("training", "training metrics, .../{run}/seed_{seed}.parquet, where it shows clipping"),
        ("benchmark-samples", "samples, .../{benchmark}.parquet, where it shows the overlap"),
    ):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[], help=what)
    parser.add_argument("--training-samples", type=Path, help="the drawn training sample, likewise")
    parser.add_argument("--output-parquet", type=Path, required=True, help="the table as data")
    parser.add_argument("--output-md", type=Path, required=True, help="the table as Markdown")
    parser.add_argument("--output-html", type=Path, required=True, help="the same for a browser")
    return parser


if __name__ == "__main__":
    run_command(main)
