"""What the commands that score and compare share."""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.config.schema import ScoreStage, load_stage

_DEFAULTS = ScoreStage(bootstrap_resamples=2000, bootstrap_seed=0)


def add_score_config(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the score stage."""
    parser.add_argument(
        "--config", type=Path, help="score stage (YAML); default: 2000 resamples, seed 0"
    )


def load_score_stage(arguments: argparse.Namespace) -> ScoreStage:
    """The score stage that the options name, or the default one."""
    return load_stage(arguments.config, ScoreStage) if arguments.config else _DEFAULTS
