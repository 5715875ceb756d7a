"""Look at a policy and a segmenter before any hour is spent on them; write what was found."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from transformers.utils import logging

from samr1.config.schema import PredictStage, load_stage
from samr1.core.checks import run_steps, write_page
from samr1.core.errors import UserError, run_command
from samr1.core.files import atomic_file
from samr1.policy.check import check_policy
from samr1.segmenter.check import check_segmenter


def main() -> None:
    """Parse, look, say and write."""
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.check_models", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="predict stage (YAML)")
    parser.add_argument("--output", type=Path, required=True, help="page (Markdown) to write")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    stage = load_stage(arguments.config, PredictStage)
    torch.set_num_threads(stage.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    checks = run_steps(check_policy(stage.policy, stage.dialect, device))
    checks += run_steps(check_segmenter(stage.segmenter, device))
    page = write_page(f"{stage.policy.path} and {stage.segmenter.path}", checks)
    print(page, file=sys.stderr)
    failed = [one for one in checks if not one.passed]
    if failed:
        raise UserError(f"{failed[0].name}: {failed[0].found}")
    with atomic_file(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
