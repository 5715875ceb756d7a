"""Look at a policy and a segmenter before any hour is spent on them; write what was found."""

from __future__ import annotations

from functools import partial
from itertools import chain
from pathlib import Path

from transformers.utils import logging

from samr1.cli.device_option import add_device_option
from samr1.cli.parser import Parser
from samr1.config.schema import PredictStage, TrainStage, load_stage
from samr1.core.checks import run_steps, write_page
from samr1.core.device import use_device
from samr1.core.errors import UserError, run_command, say
from samr1.core.files import write_text
from samr1.policy.check import check_policy
from samr1.segmenter.check import check_segmenter
from samr1.train.check import check_running


def main() -> None:
    """Parse, look, say and write."""
    parser = Parser(prog="python -m samr1.cli.check_models", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="predict stage (YAML)")
    parser.add_argument(
        "--training", type=Path, help="its train stage (YAML), where it is trained: tried too"
    )
    add_device_option(parser)
    parser.add_argument("--output", type=Path, required=True, help="page (Markdown) to write")
    arguments = parser.parse_args()
    logging.disable_progress_bar()
    stage = load_stage(arguments.config, PredictStage)
    training = arguments.training and load_stage(arguments.training, TrainStage)
    # Asked for where a model is loaded: without a GPU the files are downloaded and looked at yet.
    place = partial(use_device, arguments.device, threads=stage.threads, tf32=stage.segmenter.tf32)
    policy = check_policy(stage.policy, stage.dialect)
    checks = run_steps(chain(policy, check_running(stage, training, place)))
    checks += run_steps(check_segmenter(stage.segmenter, place))
    page = write_page(f"{stage.policy.path} and {stage.segmenter.path}", checks)
    for line in page.splitlines():
        say(line)
    failed = [one for one in checks if not one.passed]
    if failed:
        raise UserError(f"{failed[0].name}: {failed[0].found}")
    write_text(arguments.output, page)


if __name__ == "__main__":
    run_command(main)
