"""Train a policy by SAM-R1's GRPO, on one process or several; write it with its metrics.

What was interrupted goes on from its newest checkpoint with the same command. SIGTERM, SIGUSR1 and
Ctrl-C stop it after the step under way, with exit code 75.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import torch.distributed as dist
from transformers.utils import logging

from samr1.app.card import files_beside
from samr1.cli.device_option import add_device_option
from samr1.cli.parser import Parser
from samr1.config.names import Tracker
from samr1.config.schema import TrainStage, dump_stage, load_stage
from samr1.core.errors import run_command
from samr1.core.files import remove_parts, write_table
from samr1.data.resizing import ImageStore
from samr1.data.samples import load_samples
from samr1.planning.fit import check_fits
from samr1.train.engine import join_processes
from samr1.train.launch import end_with_launcher, is_started, launch
from samr1.train.loop import train_policy


def main() -> None:
    """Parse, load, train, write."""
    parser = Parser(prog="python -m samr1.cli.train_policy", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the run's train stage (YAML)")
    parser.add_argument("--samples", type=Path, required=True, help="training samples (Parquet)")
    parser.add_argument("--images", type=Path, required=True, help="their resized images (Parquet)")
    parser.add_argument("--root", type=Path, required=True, help="data root of the image paths")
    parser.add_argument("--output-policy", type=Path, required=True, help="folder to write")
    parser.add_argument("--output-metrics", type=Path, required=True, help="one row a step")
    parser.add_argument("--output-timings", type=Path, required=True, help="seconds by phase")
    parser.add_argument("--tensorboard", type=Path, required=True, help="folder of event files")
    parser.add_argument(
        "--checkpoints", type=Path, required=True, help="folder of its own, removed at the end"
    )
    parser.add_argument(
        "--log-to", nargs="*", default=[], choices=get_args(Tracker), help="TensorBoard is always"
    )
    parser.add_argument(
        "--checkpoint-steps", type=int, help="from one to the next (default: the configuration's)"
    )
    parser.add_argument("--processes", type=int, default=1, help="of this machine, one a GPU")
    add_device_option(parser)
    arguments = parser.parse_args()
    if arguments.checkpoint_steps is not None and arguments.checkpoint_steps < 1:
        parser.error("--checkpoint-steps: must be at least 1")
    if not is_started():
        for output in (
            arguments.output_policy,
            arguments.output_metrics,
            arguments.output_timings,
        ):
            remove_parts(output)  # of an attempt that was killed
        if arguments.processes > 1:
            command = [sys.executable, "-m", "samr1.cli.train_policy", *sys.argv[1:]]
            return launch(command, arguments.processes)
    elif arguments.processes > 1:
        end_with_launcher()
    logging.disable_progress_bar()
    stage = load_stage(arguments.config, TrainStage)
    if arguments.checkpoint_steps is not None:
        kept = {"checkpoint_steps": arguments.checkpoint_steps}
        stage = stage.model_copy(update={"train": stage.train.model_copy(update=kept)})
    samples = load_samples(arguments.samples)
    check_fits(stage, join_processes(arguments.device), dist.get_world_size())
    trained = train_policy(
        stage,
        samples,
        ImageStore(arguments.images),
        arguments.root,
        arguments.tensorboard,
        arguments.checkpoints,
        arguments.device,
        arguments.log_to,
    )
    beside = files_beside(stage, samples, arguments.root, trained.metrics)
    trained.save_policy(arguments.output_policy, beside)
    if trained.writes:
        metadata = {"config": dump_stage(stage)}
        write_table(arguments.output_metrics, trained.metrics, metadata)
        write_table(arguments.output_timings, trained.timings, metadata)
    # Last of all: whatever ends this before, the next attempt has no step to take again.
    trained.remove_checkpoints()


if __name__ == "__main__":
    run_command(main, at_once=is_started())
