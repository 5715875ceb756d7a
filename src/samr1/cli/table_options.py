"""The options that the five table commands share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from samr1.config.baselines import load_baselines
from samr1.report.tables.layout import Measured
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import Outputs, Setting
from samr1.report.tables.published import Scale, Table, load_published_table


@dataclass(frozen=True)
class TableInputs:
    """What every table is made of, read."""

    table: Table
    measurements: Measurements
    setting: Setting
    outputs: Outputs
    measured: Measured


def table_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for the command `name`, with the options of every table."""
    parser = argparse.ArgumentParser(prog=f"python -m samr1.cli.{name}", description=description)
    parser.add_argument(
        "--metrics", type=Path, nargs="+", required=True, help="metrics.parquet files, any order"
    )
    parser.add_argument(
        "--published", type=Path, required=True, help="YAML of the paper's figures, with sources"
    )
    parser.add_argument(
        "--scale", choices=get_args(Scale), required=True, help="the scale that the runs are of"
    )
    parser.add_argument(
        "--checkpoint", choices=["last"], required=True, help="as the scale declares it"
    )
    parser.add_argument(
        "--runs",
        nargs="+",
        help="the runs that there are; the cells of others stay empty (default: all that it names)",
    )
    parser.add_argument(
        "--baselines", type=Path, help="YAML of other people's systems (default: none)"
    )
    parser.add_argument("--output-parquet", type=Path, required=True, help="the table as data")
    parser.add_argument("--output-md", type=Path, required=True, help="the table as Markdown")
    return parser


def read_inputs(name: str, arguments: argparse.Namespace) -> TableInputs:
    """Read what the shared options name, for table `name`."""
    baselines = arguments.baselines
    return TableInputs(
        table=load_published_table(arguments.published, name),
        measurements=Measurements(arguments.metrics),
        setting=Setting(arguments.scale, arguments.checkpoint),
        outputs=Outputs(arguments.output_parquet, arguments.output_md),
        measured=Measured(
            runs=None if arguments.runs is None else tuple(arguments.runs),
            baselines=load_baselines(baselines, arguments.scale) if baselines else {},
        ),
    )


def add_comparisons(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the paired comparisons of the ablations with `sam_r1`."""
    parser.add_argument(
        "--comparisons",
        type=Path,
        nargs="+",
        required=True,
        help="paired comparisons of the table's runs with sam_r1 (of compare_runs)",
    )
