"""Answer the questions of benchmarks with a policy, and turn the answers into masks.

Every GPU that is there gets a process of its own, which loads the models once and answers a part of
each benchmark's questions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow as pa
import torch

from samr1.cli.device_option import add_device_option
from samr1.cli.parser import Parser
from samr1.config.schema import PredictStage, load_stage
from samr1.core.errors import UserError, run_command
from samr1.core.files import write_table
from samr1.data.samples import load_samples
from samr1.evaluation.kept import Kept
from samr1.evaluation.parallel import Job, Questions, predict_each

_PER_BENCHMARK = {
    "samples": "samples (Parquet), a file for each benchmark",
    "images": "their resized images (Parquet)",
    "output": "predictions (Parquet) to write",
}


def main() -> None:
    """Parse, read, predict, write."""
    parser = Parser(prog="python -m samr1.cli.predict_masks", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="predict stage (YAML)")
    parser.add_argument("--policy", required=True, help="folder of the policy, or its hub name")
    for name, words in _PER_BENCHMARK.items():
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True, help=words)
    parser.add_argument("--root", type=Path, required=True, help="data root of the image paths")
    parser.add_argument(
        "--processes",
        type=int,
        help="processes that share the questions (default: one a GPU, or one)",
    )
    parser.add_argument(
        "--kept",
        type=Path,
        help="folder of its own where finished benchmarks wait for the others; an interrupted "
        "command goes on after them (default: each is written as it is done)",
    )
    add_device_option(parser)
    arguments = parser.parse_args()
    if arguments.processes is None:
        arguments.processes = 1 if arguments.device == "cpu" else max(1, torch.cuda.device_count())
    if arguments.processes < 1:
        parser.error("--processes: must be at least 1")
    lists = [arguments.samples, arguments.images, arguments.output]
    if len({len(files) for files in lists}) > 1:
        names = ", ".join(f"--{name}" for name in _PER_BENCHMARK)
        parser.error(f"{names}: must name as many files as each other, one a benchmark")
    _predict(arguments)


def _predict(arguments: argparse.Namespace) -> None:
    stage = load_stage(arguments.config, PredictStage)
    kept, places = None, arguments.output
    if arguments.kept is not None:
        inputs = [*arguments.samples, *arguments.images]
        kept = Kept(arguments.kept, stage, arguments.policy, inputs)
        places = [kept.place(f"{i}") for i in range(len(places))]
    missing = [i for i, place in enumerate(places) if not (kept and place.is_file())]
    asked = [Questions(_read(arguments.samples[i]), arguments.images[i]) for i in missing]
    job = Job(stage, arguments.policy, arguments.root, arguments.device)
    for number, predictions in predict_each(job, asked, arguments.processes):
        write_table(places[missing[number]], predictions, {"config": stage.model_dump_json()})
    if kept is not None:
        kept.take(dict(zip(places, arguments.output, strict=True)))


def _read(path: Path) -> pa.Table:
    samples = load_samples(path)
    if not len(samples):
        raise UserError(f"{path}: has no samples; index the benchmark again.")
    return samples


if __name__ == "__main__":
    run_command(main)
