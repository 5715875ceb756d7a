"""What the commands that score predictions share."""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.config import ScoreStage, load_stage
from samr1.evaluation.score import PROTOCOLS

_DEFAULTS = ScoreStage(bootstrap_resamples=2000, bootstrap_seed=0)


def score_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for the command `name`, with the options that both have."""
    parser = argparse.ArgumentParser(prog=f"python -m samr1.cli.{name}", description=description)
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument(
        "--protocol",
        action="append",
        required=True,
        choices=PROTOCOLS,
        help="how to score; may be given several times, all into one file",
    )
    parser.add_argument("--benchmark", default="", help="name of the benchmark (default: none)")
    parser.add_argument(
        "--config", type=Path, help="score stage (YAML); default: 2000 resamples, seed 0"
    )
    parser.add_argument("--output", type=Path, required=True, help="table (Parquet) to write")
    return parser


def load_score_stage(arguments: argparse.Namespace) -> ScoreStage:
    """The score stage that the options name, or the default one."""
    return load_stage(arguments.config, ScoreStage) if arguments.config else _DEFAULTS
