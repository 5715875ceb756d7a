"""Answer every question of a benchmark with a policy, and turn the answers into masks."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from samr1 import schemas
from samr1.config import PredictStage, load_stage
from samr1.data.resizing import ImageStore
from samr1.errors import run_command
from samr1.evaluation.predict import Stopwatch, predict
from samr1.files import read_table, write_table
from samr1.policy.model import load_policy
from samr1.segmenter import Segmenter


def main() -> None:
    """Parse, load, predict, write."""
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.predict_masks", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="predict stage (YAML)")
    parser.add_argument("--policy", required=True, help="folder of the policy, or its hub name")
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument("--images", type=Path, required=True, help="resized images (Parquet)")
    parser.add_argument("--root", type=Path, required=True, help="data root of the image paths")
    parser.add_argument("--output", type=Path, required=True, help="predictions (Parquet) to write")
    parser.add_argument(
        "--output-timings", type=Path, required=True, help="seconds by phase (Parquet) to write"
    )
    arguments = parser.parse_args()
    stage = load_stage(arguments.config, PredictStage)
    torch.set_num_threads(stage.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    watch = Stopwatch()
    samples = read_table(arguments.samples, schemas.SAMPLES)
    store = ImageStore(arguments.images)
    with watch.phase("load"):
        policy = load_policy(arguments.policy, stage.policy.dtype, device)
        segmenter = Segmenter.load(
            stage.segmenter.path, stage.segmenter.image_size, device, stage.segmenter.cache
        )
    predictions = predict(samples, store, arguments.root, policy, segmenter, stage, watch)
    write_table(arguments.output, predictions, {"config": stage.model_dump_json()})
    write_table(arguments.output_timings, watch.table(len(samples)))


if __name__ == "__main__":
    run_command(main)
