"""Prediction by several processes of one machine, one a GPU, each with its part of the questions.

A process loads the models for itself; the parent only deals and gathers.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch

from samr1.config.schema import PredictStage
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.stopwatch import TIMINGS, Stopwatch
from samr1.data.resizing import ImageStore
from samr1.evaluation.predict import predict
from samr1.evaluation.shards import add_timings, gather, split_by_image
from samr1.policy.model import load_policy
from samr1.segmenter import Segmenter


@dataclass(frozen=True)
class Job:
    """With what to predict: the policy's folder or hub name, resized images, root of originals."""

    stage: PredictStage
    policy: str
    images: Path
    root: Path


def predict_in_parallel(job: Job, samples: pa.Table, processes: int) -> tuple[pa.Table, pa.Table]:
    """Predictions (rows of `schemas.PREDICTIONS`) of `samples`, in their order, and `TIMINGS`.

    The timings are those of all processes added up. With one process it is this one. Raises
    UserError as `predict` does, and where a process was killed; the others are then ended too.
    """
    parts = [part for part in split_by_image(samples, processes) if len(part)]
    if not parts:  # a shard more than there are images
        return schemas.PREDICTIONS.empty_table(), TIMINGS.empty_table()
    if len(parts) == 1:
        return _predict_part(job, parts[0], 0)
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    with ProcessPoolExecutor(len(parts), mp_context=context) as pool:
        futures = [pool.submit(_predict_part, job, part, rank) for rank, part in enumerate(parts)]
        try:
            for future in as_completed(futures):
                future.result()  # the first failure, not the first process's
        except BaseException as error:
            for child in multiprocessing.active_children():
                child.terminate()
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    "a process of the prediction was killed; it ran out of memory perhaps: lower "
                    "evaluation.batch_size or ask for more, and start again."
                ) from error
            raise
    predictions, timings = zip(*(future.result() for future in futures), strict=True)
    whole = gather(samples["sample_id"].to_pylist(), predictions)
    return whole, add_timings(timings, len(samples))


def _predict_part(job: Job, samples: pa.Table, rank: int) -> tuple[pa.Table, pa.Table]:
    """Load the models on the GPU number `rank`, or the CPU, and predict there."""
    torch.set_num_threads(job.stage.threads)
    device = f"cuda:{rank}" if torch.cuda.is_available() else "cpu"
    if device != "cpu":
        torch.cuda.set_device(device)
    watch = Stopwatch()
    store = ImageStore(job.images)
    with watch.phase("load"):
        policy = load_policy(job.policy, job.stage.policy.dtype, device)
        sam = job.stage.segmenter
        segmenter = Segmenter.load(sam.path, sam.image_size, device, sam.cache)
    # The parts are as long as each other: the first one's bar stands for all.
    predictions = predict(
        samples, store, job.root, policy, segmenter, job.stage, watch, show_progress=rank == 0
    )
    return predictions, watch.table(len(samples))
