"""Which questions a step trains on, what it needs of the disk, and its learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from samr1.config.schema import TrainStage
from samr1.config.train import TrainConfig
from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.data.images import load_original
from samr1.data.masks import Mask, decode_mask
from samr1.data.resizing import ImageStore
from samr1.evaluation.answers import read_box
from samr1.policy.model import EncodedPrompt, Policy, encode_question

Truth = Mask | list[float]  # bool [h, w], or where a box alone is known that box, xyxy


@dataclass(frozen=True)
class Sample:
    """One training question: a row of `schemas.SAMPLES`, and its row number in the table.

    `width` and `height` are the original image's; `mask` is the ground truth as COCO RLE, or None
    where its `box` (xyxy, pixels of the original) is all that is known. `ignore` are the pixels, as
    COCO RLE, that are neither target nor background; None is none.
    """

    index: int
    sample_id: str
    image_id: str
    image_path: str
    width: int
    height: int
    query: str
    box: list[float] | None
    mask: dict[str, Any] | None
    ignore: dict[str, Any] | None = None


@dataclass(frozen=True)
class Batch:
    """One process's part of a step, made ready: nothing in it depends on the policy's weights.

    `questions` and `truths` are those of `samples`, in their order; `originals` are the images that
    the segmenter reads, uint8 [h, w, 3], by image_id. `drawn` are the indices of the step's samples
    over all processes. With `is_padding` there was none for this process; it works on another's, to
    keep the others company, and nothing of it is counted.
    """

    samples: list[Sample]
    questions: list[EncodedPrompt]
    originals: dict[str, npt.NDArray[np.uint8]]
    truths: list[Truth]
    drawn: list[int]
    is_padding: bool

    @property
    def in_step(self) -> int:
        """The number of the step's questions, over all processes."""
        return len(self.drawn)


def read_samples(table: pa.Table) -> list[Sample]:
    """The rows of a table of samples; raises UserError where it has none or one has no truth."""
    columns = [name for name in Sample.__dataclass_fields__ if name != "index"]
    rows = table.cast(schemas.SAMPLES).select(columns).to_pylist()
    if not rows:
        raise UserError("the table of training samples has no row; sample the training set again.")
    for number, row in enumerate(rows, start=1):
        if row["mask"] is None and row["box"] is None:
            raise UserError(
                f"row {number} of the training samples ({row['sample_id']}) has neither a mask nor "
                "a box; training needs the ground truth of every sample."
            )
    return [Sample(index=index, **row) for index, row in enumerate(rows)]


def draw_batches(samples: int, per_step: int, steps: int, seed: int) -> Iterator[list[int]]:
    """The sample indices of each of `steps` steps, up to `per_step` each.

    An epoch is a permutation that depends on (seed, epoch) alone; its last short batch is used.
    """
    done = epoch = 0
    while done < steps:
        order = np.random.default_rng([seed, epoch]).permutation(samples).tolist()
        for start in range(0, samples, per_step):
            if done == steps:
                return
            yield order[start : start + per_step]
            done += 1
        epoch += 1


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """The rate of step `step` (from 0) of `steps`: a linear warm-up, then constant or to 0."""
    peak, warmup = config.learning_rate, config.warmup_steps
    if step < warmup:
        return peak * (step + 1) / warmup
    if config.schedule == "constant":
        return peak
    return peak * (steps - step) / (steps - warmup)


def prepare_batch(
    policy: Policy,
    drawn: list[Sample],
    rank: int,
    processes: int,
    images: ImageStore,
    root: Path,
    stage: TrainStage,
) -> Batch:
    """Read and encode what process `rank` needs for a step on the samples `drawn`.

    Originals are read under `root`, each once. Raises UserError where an image cannot be read, or
    it or a ground-truth mask has not the size that its sample says. The pixels to ignore are
    decoded when a response is measured (`ignored_pixels`), which raises alike.
    """
    mine = drawn[rank::processes]
    samples = mine or drawn[:1]
    return Batch(
        samples=samples,
        questions=[
            encode_question(policy, images.get(sample.image_id), sample.query, stage.dialect)
            for sample in samples
        ],
        originals={
            sample.image_id: load_original(
                root / sample.image_path, sample.width, sample.height, sample.sample_id
            )
            for sample in {sample.image_id: sample for sample in samples}.values()
        },
        truths=[_truth(sample) for sample in samples],
        drawn=[sample.index for sample in drawn],
        is_padding=not mine,
    )


def _truth(sample: Sample) -> Truth:
    if sample.mask is None:
        return read_box(sample.sample_id, "ground-truth", sample.box)
    return _decode(sample, sample.mask)


def ignored_pixels(sample: Sample) -> Mask | None:
    """The pixels that are neither target nor background, bool [h, w]; None where there are none."""
    return None if sample.ignore is None else _decode(sample, sample.ignore)


def _decode(sample: Sample, rle: dict[str, Any]) -> Mask:
    with prefix_errors(f"training sample {sample.sample_id}"):
        mask = decode_mask(rle)
    if mask.shape != (sample.height, sample.width):
        raise UserError(
            f"training sample {sample.sample_id}: its mask has {mask.shape[1]}×{mask.shape[0]} "
            f"pixels and its image {sample.width}×{sample.height}; index the data set again."
        )
    return mask
