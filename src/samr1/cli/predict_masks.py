"""Answer the questions of a benchmark with a policy, and turn the answers into masks.

Every GPU that is there gets a process of its own, with its part of the questions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from samr1.config.schema import PredictStage, load_stage
from samr1.core.errors import UserError, run_command
from samr1.core.files import write_table
from samr1.data.samples import load_samples
from samr1.evaluation.parallel import Job, predict_in_parallel
from samr1.evaluation.shards import Shard


def main() -> None:
    """Parse, read, predict, write."""
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.predict_masks", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="predict stage (YAML)")
    parser.add_argument("--policy", required=True, help="folder of the policy, or its hub name")
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument("--images", type=Path, required=True, help="resized images (Parquet)")
    parser.add_argument("--root", type=Path, required=True, help="data root of the image paths")
    parser.add_argument(
        "--shard",
        type=Shard.parse,
        default=Shard(1, 1),
        help="which part of the questions, as 2-of-4 (default: all)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=max(1, torch.cuda.device_count()),
        help="processes that share the questions (default: one a GPU, or one)",
    )
    parser.add_argument("--output", type=Path, required=True, help="predictions (Parquet) to write")
    parser.add_argument(
        "--output-timings", type=Path, required=True, help="seconds by phase (Parquet) to write"
    )
    arguments = parser.parse_args()
    if arguments.processes < 1:
        parser.error("--processes: must be at least 1")
    stage = load_stage(arguments.config, PredictStage)
    samples = load_samples(arguments.samples)
    if not len(samples):
        raise UserError(f"{arguments.samples}: has no samples; index the benchmark again.")
    job = Job(stage, arguments.policy, arguments.images, arguments.root)
    mine = arguments.shard.rows(samples)
    predictions, timings = predict_in_parallel(job, mine, arguments.processes)
    write_table(arguments.output, predictions, {"config": stage.model_dump_json()})
    write_table(arguments.output_timings, timings)


if __name__ == "__main__":
    run_command(main)
