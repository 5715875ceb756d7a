"""What the commands that score and compare share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.schema import ScoreStage, load_stage
from samr1.core.reading import is_text

_DEFAULTS = ScoreStage(bootstrap_resamples=2000, bootstrap_seed=0)


def parse_name(text: str) -> str:
    """A name on the command line, for argparse: its error says what is wrong."""
    if not is_text(text):
        raise argparse.ArgumentTypeError(f"{text}: is no valid Unicode")
    return text


def parse_seed(text: str) -> int:
    """A seed on the command line, for argparse, as the tables hold it."""
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text}: must be from 0 to 999999999")
    return int(text)


def add_score_config(parser: Parser) -> None:
    """Add the option that names the score stage."""
    parser.add_argument(
        "--config", type=Path, help="score stage (YAML); default: 2000 resamples, seed 0"
    )


def load_score_stage(arguments: argparse.Namespace) -> ScoreStage:
    """The score stage that the options name, or the default one."""
    return load_stage(arguments.config, ScoreStage) if arguments.config else _DEFAULTS
