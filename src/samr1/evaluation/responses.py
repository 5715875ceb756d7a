"""The policy's responses to a benchmark's questions, batch after batch.

Decoding is greedy. Questions are decoded by prompt length, those on one image together, and each
image passes once through the vision tower, however many questions ask about it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from samr1.config.schema import PredictStage
from samr1.policy.model import Policy, encode_question
from samr1.rollout.inputs import encode_images
from samr1.rollout.sample import sample_groups


class Pictures(Protocol):
    """Images as the policy sees them, by `image_id`; an `ImageStore` is one."""

    def get(self, image_id: str) -> Image.Image:
        """The RGB image, `image_size`×`image_size`."""
        ...


@dataclass(frozen=True)
class Response:
    """What the policy said: its text without special tokens, and its length with the stop token."""

    text: str
    tokens: int


def respond(
    rows: Sequence[dict[str, Any]], store: Pictures, policy: Policy, stage: PredictStage
) -> Generator[dict[int, Response], None, None]:
    """The policy's greedy responses to the rows of samples, by index, batch after batch.

    The questions on one image follow each other, but may be in two batches.
    """
    tokens = policy.tokenizer([row["query"] for row in rows], add_special_tokens=False)["input_ids"]
    order = decoding_order([row["image_id"] for row in rows], [len(ids) for ids in tokens])
    features: dict[str, Tensor] = {}  # by image_id, of the batch before
    size = stage.evaluation.batch_size
    for batch in (order[start : start + size] for start in range(0, len(order), size)):
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
        said = [group.responses[0] for group in groups]
        texts = policy.tokenizer.batch_decode(said, skip_special_tokens=True)
        yield {i: Response(text, len(row)) for i, text, row in zip(batch, texts, said, strict=True)}


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


def whole_images(
    batches: Iterable[dict[int, Response]], image_ids: Sequence[str]
) -> Iterator[dict[int, Response]]:
    """Batches of `respond` without an image in two of them: the last one waits for the next batch.

    >>> yes = Response("yes", 2)
    >>> batches = [{3: yes, 0: yes}, {2: yes, 1: yes}]
    >>> [list(batch) for batch in whole_images(batches, ["a", "c", "a", "b"])]
    [[3], [0, 2], [1]]
    """
    waiting: dict[int, Response] = {}
    for batch in batches:
        waiting |= batch
        last = image_ids[list(batch)[-1]]
        yield {i: response for i, response in waiting.items() if image_ids[i] != last}
        waiting = {i: response for i, response in waiting.items() if image_ids[i] == last}
    yield waiting
