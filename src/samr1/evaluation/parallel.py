"""Prediction by the processes of one machine, one a GPU: each loads the models once and answers a
part of every benchmark.

The parent only deals and gathers. The rows are those of one process, in the same order. Only
batches are composed otherwise: that can change the last digits of a model's numbers, and in
bfloat16 with them an answer now and then.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pyarrow as pa
import torch

from samr1.config.schema import PredictStage
from samr1.core.device import DeviceKind, use_device
from samr1.core.errors import UserError
from samr1.data.resizing import ImageStore
from samr1.evaluation.predict import predict
from samr1.policy.model import Policy, load_policy
from samr1.segmenter import Segmenter


@dataclass(frozen=True)
class Job:
    """With what to predict: the policy's folder or hub name, the root of the originals, where."""

    stage: PredictStage
    policy: str
    root: Path
    device: DeviceKind | None = None


@dataclass(frozen=True)
class Questions:
    """Rows of `schemas.SAMPLES`, and the file of their images as the policy sees them."""

    samples: pa.Table
    images: Path


def predict_each(
    job: Job, asked: Sequence[Questions], processes: int
) -> Iterator[tuple[int, pa.Table]]:
    """The predictions of each of `asked` with its number, as rows of `schemas.PREDICTIONS` in its
    samples' order, as they are done.

    With one process it is this one. Raises UserError as `predict` does, and where a process was
    killed; the others are then ended too.
    """
    parts: dict[int, list[Questions]] = {}
    for i, one in enumerate(asked):
        dealt = [part for part in split_by_image(one.samples, processes) if len(part)]
        parts[i] = [Questions(part, one.images) for part in dealt]
    most = max(map(len, parts.values()), default=0)
    if most <= 1:
        answerer = _Answerer(job, 0)
        yield from ((i, answerer.answer(own[0])) for i, own in parts.items())
    else:
        for i, done in _in_a_pool(job, parts, most):
            yield i, _in_order(asked[i].samples, pa.concat_tables(done))


def split_by_image(samples: pa.Table, count: int) -> list[pa.Table]:
    """Deal the rows of `samples` into `count` parts of nearly equal size, each in its order.

    The questions on one image stay together, so that it is embedded once. The images with the most
    are dealt first, each to the part with the fewest questions.
    """
    members: dict[str, list[int]] = {}  # image_id -> its rows
    for i, image_id in enumerate(samples["image_id"].to_pylist()):
        members.setdefault(image_id, []).append(i)
    parts: list[list[int]] = [[] for _ in range(count)]
    for rows in sorted(members.values(), key=len, reverse=True):
        min(parts, key=len).extend(rows)
    return [samples.take(pa.array(sorted(rows), pa.int64())) for rows in parts]


def _in_order(samples: pa.Table, predictions: pa.Table) -> pa.Table:
    """`predictions` as `samples` stand."""
    place = {sample_id: i for i, sample_id in enumerate(predictions["sample_id"].to_pylist())}
    order = pa.array([place[sample_id] for sample_id in samples["sample_id"].to_pylist()])
    return predictions.take(order).combine_chunks()


def _in_a_pool(
    job: Job, parts: dict[int, list[Questions]], processes: int
) -> Iterator[tuple[int, list[pa.Table]]]:
    """What processes of their own make of the parts, a list of parts as soon as all are done."""
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    numbers = context.SimpleQueue()
    for number in range(processes):
        numbers.put(number)
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(job, numbers)
    ) as pool:
        futures = {pool.submit(_answer, part): i for i, own in parts.items() for part in own}
        done: dict[int, list[pa.Table]] = {i: [] for i in parts}
        try:
            for future in as_completed(futures):
                i = futures[future]
                done[i].append(future.result())  # the first failure, not the first process's
                if len(done[i]) == len(parts[i]):
                    yield i, done[i]
        except BaseException as error:
            for child in multiprocessing.active_children():
                child.terminate()
            if isinstance(error, BrokenProcessPool):
                raise UserError(
                    "a process of the prediction was killed; it ran out of memory perhaps: lower "
                    "evaluation.batch_size or ask for more, and start again."
                ) from error
            raise


class _Answerer:
    """The models on the GPU of a number, or the CPU; loaded when the first question comes."""

    def __init__(self, job: Job, number: int) -> None:
        self._job, self._number = job, number
        self._models: tuple[Policy, Segmenter] | None = None

    def answer(self, asked: Questions) -> pa.Table:
        """Predictions of `asked`; this process's bar is shown where it is the first."""
        job, stage = self._job, self._job.stage
        sam = stage.segmenter
        device = use_device(job.device, threads=stage.threads, number=self._number, tf32=sam.tf32)
        store = ImageStore(asked.images)
        if self._models is None:
            policy = load_policy(job.policy, stage.policy.dtype, device)
            segmenter = Segmenter.load(sam.path, sam.image_size, device)
            self._models = policy, segmenter
        try:
            # The parts are as long as each other: the first process's bar stands for all.
            return predict(
                asked.samples,
                store,
                job.root,
                *self._models,
                stage,
                show_progress=self._number == 0,
            )
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{job.policy}: {stage.evaluation.batch_size} answers of up to "
                f"{stage.evaluation.max_response_tokens:,} tokens at once do not fit into the "
                "memory of the GPU beside the models; lower evaluation.batch_size and start again."
            ) from error


_of_this_process: list[_Answerer] = []  # in a process of the pool: one


def _begin(job: Job, numbers: SimpleQueue[int]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _of_this_process.append(_Answerer(job, numbers.get()))


def _end_with_parent() -> None:
    """End this process where its parent does, even one that was killed: its GPU is free then."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _answer(part: Questions) -> pa.Table:
    return _of_this_process[0].answer(part)
