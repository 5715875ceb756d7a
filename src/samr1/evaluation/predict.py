"""Prediction: every question of a benchmark to a response, an answer and a mask.

Decoding is greedy and batched. Each image passes once through the policy's vision tower and once
through the segmenter, however many questions ask about it: questions are decoded by prompt length,
those on one image together, and the masks are made afterwards, image by image.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor
from tqdm import tqdm

from samr1 import schemas
from samr1.config import PredictStage
from samr1.data.images import load_original
from samr1.data.masks import encode_mask
from samr1.data.resizing import ImageStore
from samr1.errors import UserError
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.model import Policy, encode_question
from samr1.rollout.inputs import encode_images
from samr1.rollout.sample import sample_groups
from samr1.segmenter import Prompt, Segmenter

TIMINGS = pa.schema(
    [("phase", pa.string()), ("seconds", pa.float64()), ("samples_per_second", pa.float64())]
)

Item = TypeVar("Item")


@dataclass(frozen=True)
class Response:
    """What the policy said: its text without special tokens, and its length with the stop token."""

    text: str
    tokens: int


@dataclass
class Stopwatch:
    """Seconds by phase."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to the phase `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def table(self, samples: int) -> pa.Table:
        """Rows of `TIMINGS`: every phase, and their total."""
        seconds = {**self.seconds, "total": sum(self.seconds.values())}
        rows = [
            {"phase": phase, "seconds": spent, "samples_per_second": samples / spent}
            for phase, spent in seconds.items()
        ]
        return pa.Table.from_pylist(rows, schema=TIMINGS)


def predict(
    samples: pa.Table,
    store: ImageStore,
    root: Path,
    policy: Policy,
    segmenter: Segmenter,
    stage: PredictStage,
    watch: Stopwatch,
) -> pa.Table:
    """Answer every row of `samples`: rows of `schemas.PREDICTIONS`, in the same order.

    The policy sees the square images of `store`, the segmenter the originals below `root`. Boxes,
    points and masks are in pixels of the original; an answer that could not be read has a null mask
    and says why in `status`. Raises UserError where an image is missing, is not the one that its
    sample describes, or was resized for another policy.
    """
    rows = samples.drop_columns(["mask", "ignore"]).to_pylist()
    _check_images(rows, store, root, stage)
    with watch.phase("generate"):
        responses = respond(rows, store, policy, stage)
    frame = (store.image_size, store.image_size)
    answers = [
        to_original(
            parse_answer(response.text, stage.dialect, frame), frame, (row["width"], row["height"])
        )
        for row, response in zip(rows, responses, strict=True)
    ]
    with watch.phase("segment"):
        masks = segment(rows, answers, root, segmenter)
    predicted = [
        _prediction(row["sample_id"], response, answer, masks.get(i))
        for i, (row, response, answer) in enumerate(zip(rows, responses, answers, strict=True))
    ]
    return pa.Table.from_pylist(predicted, schema=schemas.PREDICTIONS)


def respond(
    rows: Sequence[dict[str, Any]], store: ImageStore, policy: Policy, stage: PredictStage
) -> list[Response]:
    """The policy's greedy response to each row of samples, in their order."""
    tokens = policy.tokenizer([row["query"] for row in rows], add_special_tokens=False)["input_ids"]
    order = decoding_order([row["image_id"] for row in rows], [len(ids) for ids in tokens])
    found: dict[int, Response] = {}
    features: dict[str, Tensor] = {}  # by image_id, of the batch before
    progress = tqdm(total=len(rows), desc="respond", unit="sample", disable=None)
    for batch in _batches(order, stage.evaluation.batch_size):
        ids = [rows[i]["image_id"] for i in batch]
        pictures = {image_id: store.get(image_id) for image_id in dict.fromkeys(ids)}
        questions = [
            encode_question(policy, pictures[image_id], rows[i]["query"], stage.dialect)
            for i, image_id in zip(batch, ids, strict=True)
        ]
        # One image may end a batch and begin the next one.
        features = {image_id: features[image_id] for image_id in pictures if image_id in features}
        fresh = {
            image_id: question
            for image_id, question in zip(ids, questions, strict=True)
            if image_id not in features
        }
        if fresh:
            with torch.no_grad():
                encoded = encode_images(policy.model, list(fresh.values()))
            features.update(zip(fresh, encoded, strict=True))
        groups = sample_groups(
            policy,
            questions,
            group_size=1,
            temperature=0.0,
            max_new_tokens=stage.evaluation.max_response_tokens,
            image_features=[features[image_id] for image_id in ids],
        )
        for i, group in zip(batch, groups, strict=True):
            said = group.responses[0]
            text = str(policy.tokenizer.decode(said, skip_special_tokens=True))
            found[i] = Response(text, len(said))
        progress.update(len(batch))
    progress.close()
    return [found[i] for i in range(len(rows))]


def decoding_order(image_ids: Sequence[str], lengths: Sequence[int]) -> list[int]:
    """The samples by prompt length, the longest first, with those on one image side by side.

    An image stands where its longest prompt would. Longest first, so that a batch that does not fit
    into memory fails at once.

    >>> decoding_order(["a", "b", "a", "c"], [5, 9, 3, 4])
    [1, 0, 2, 3]
    """
    longest: dict[str, int] = {}
    first: dict[str, int] = {}
    for i, (image_id, length) in enumerate(zip(image_ids, lengths, strict=True)):
        longest[image_id] = max(length, longest.get(image_id, 0))
        first.setdefault(image_id, i)
    return sorted(
        range(len(image_ids)),
        key=lambda i: (-longest[image_ids[i]], first[image_ids[i]], -lengths[i], i),
    )


def segment(
    rows: Sequence[dict[str, Any]],
    answers: Sequence[Answer],
    root: Path,
    segmenter: Segmenter,
) -> dict[int, tuple[dict[str, Any], float]]:
    """The mask (RLE at the original's size) and SAM's score of every answer that has a box.

    By index of the answer; `answers` are in pixels of the original. Each image is read and embedded
    once.
    """
    asked: dict[str, list[int]] = {}  # image_path -> its answers
    for i, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        if answer.box is not None:
            asked.setdefault(row["image_path"], []).append(i)
    found: dict[int, tuple[dict[str, Any], float]] = {}
    progress = tqdm(total=len(asked), desc="segment", unit="image", disable=None)
    images = (_original(root, rows[members[0]]) for members in asked.values())
    for members, embedding in zip(asked.values(), segmenter.embed_each(images), strict=True):
        prompts = [Prompt(answers[i].box, answers[i].points) for i in members]
        masks, scores = segmenter.predict(embedding, prompts)
        for i, mask, score in zip(members, masks.cpu().numpy(), scores.tolist(), strict=True):
            found[i] = dict(encode_mask(mask)), score
        progress.update()
    progress.close()
    return found


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _check_images(
    rows: Sequence[dict[str, Any]], store: ImageStore, root: Path, stage: PredictStage
) -> None:
    """Find out before the first batch, not hours later, that an image is not there."""
    if not rows:
        raise UserError("there are no samples to predict; index the benchmark again.")
    if store.image_size != stage.policy.image_size:
        raise UserError(
            f"{store.path}: its images have {store.image_size} pixels a side, and "
            f"policy.image_size is {stage.policy.image_size}; resize them for this policy."
        )
    for row in rows:
        if row["image_id"] not in store:
            raise UserError(
                f"{store.path}: has no image {row['image_id']} of sample {row['sample_id']}; "
                "resize the images of these samples."
            )
        if not (root / row["image_path"]).is_file():
            raise UserError(
                f"{root / row['image_path']}: no such image, of sample {row['sample_id']}; correct "
                "the data root."
            )


def _original(root: Path, row: dict[str, Any]) -> npt.NDArray[np.uint8]:
    path = root / row["image_path"]
    return load_original(path, row["width"], row["height"], row["sample_id"])


def _prediction(
    sample_id: str,
    response: Response,
    answer: Answer,
    mask: tuple[dict[str, Any], float] | None,
) -> dict[str, Any]:
    return {
        "sample_id": sample_id,
        "text": response.text,
        "think": answer.think,
        "box": answer.box,
        "points": [{"x": x, "y": y, "value": value} for x, y, value in answer.points],
        "label": answer.label,
        "mask": mask and mask[0],
        "sam_score": mask and mask[1],
        "status": answer.status,
        "response_tokens": response.tokens,
    }
