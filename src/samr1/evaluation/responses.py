"""The policy's responses to a benchmark's questions, as they end.

Decoding is greedy, in a fixed number of slots: one whose response has ended takes up the next
question, so that nobody waits for the longest of a batch. Questions come by prompt length, those on
one image together, and each image passes once through the vision tower, however many questions ask
about it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from samr1.config.schema import PredictStage
from samr1.policy.model import EncodedPrompt, Policy, encode_image, encode_prompt, join_prompt
from samr1.rollout.decode import Sampling
from samr1.rollout.inputs import encode_images
from samr1.rollout.rows import Rows

# Prompts in one pass: more gain little, and a layer needs memory for each.
PROMPTS_TOGETHER = 16
# Slots that have ended wait until they are this share of all: prompts in one pass cost less than
# one after the other, and what comes after, the segmenter, works on several answers at once too.
_SHARE = 1 / 8


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
    """The policy's greedy responses to the rows of samples, by index, some at a time as they end.

    Questions on one image begin one after the other, and may end far apart.
    """
    prompts = [encode_prompt(policy.tokenizer, row["query"], stage.dialect) for row in rows]
    lengths = [len(prompt) for prompt in prompts]
    asked = decoding_order([row["image_id"] for row in rows], lengths)
    patches = stage.policy.image_size // policy.image_processor.patch_size
    image = (patches // policy.image_processor.merge_size) ** 2  # tokens that stand for one
    count = min(stage.evaluation.batch_size, len(rows))
    sampling = Sampling(0.0, 1.0, stage.evaluation.max_response_tokens)
    slots = Rows(policy, count, max(lengths) - 1 + image, sampling)
    encode = _Encoder(policy, store, rows, prompts)
    while asked or slots.busy:
        while asked and slots.free:
            size = min(slots.free, PROMPTS_TOGETHER)
            part, asked = asked[:size], asked[size:]
            slots.fill(*encode(part), [[i] for i in part])
        ended = slots.advance()
        while slots.busy and len(ended) < _SHARE * count:
            ended += slots.advance()
        said = [response.tokens for response in ended]
        texts = policy.tokenizer.batch_decode(said, skip_special_tokens=True)
        yield {
            response.owner: Response(text, len(response.tokens))
            for response, text in zip(ended, texts, strict=True)
        }


class _Encoder:
    """Encodes questions with what is known of their images, those of the latest questions."""

    def __init__(
        self,
        policy: Policy,
        store: Pictures,
        rows: Sequence[dict[str, Any]],
        prompts: Sequence[list[int]],
    ) -> None:
        self._policy, self._store, self._rows, self._prompts = policy, store, rows, prompts
        self._patches: dict[str, tuple[Tensor, Tensor]] = {}  # by image_id
        self._features: dict[str, Tensor] = {}

    def __call__(self, part: Sequence[int]) -> tuple[list[EncodedPrompt], list[Tensor]]:
        """The questions of the rows `part` and the features of their images.

        One image may be in two parts that follow each other.
        """
        ids = [self._rows[i]["image_id"] for i in part]
        self._patches = {
            image_id: self._patches.get(image_id) or self._cut(image_id)
            for image_id in dict.fromkeys(ids)
        }
        questions = [
            join_prompt(
                self._policy, self._rows[i]["query"], self._prompts[i], self._patches[image_id]
            )
            for i, image_id in zip(part, ids, strict=True)
        ]
        known = {key: kept for key, kept in self._features.items() if key in self._patches}
        fresh = {
            image_id: question
            for image_id, question in zip(ids, questions, strict=True)
            if image_id not in known
        }
        if fresh:
            with torch.no_grad():
                encoded = encode_images(self._policy.model, list(fresh.values()))
            known.update(zip(fresh, encoded, strict=True))
        self._features = known
        return questions, [known[image_id] for image_id in ids]

    def _cut(self, image_id: str) -> tuple[Tensor, Tensor]:
        return encode_image(self._policy.image_processor, self._store.get(image_id))


def decoding_order(image_ids: Sequence[str], lengths: Sequence[int]) -> list[int]:
    """The samples by prompt length, the longest first, with those on one image side by side.

    An image stands where its longest prompt would. Longest first, so that what does not fit into
    memory fails at once.

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
    """The responses of `batches` image by image: an image waits until its last one has ended.

    `image_ids` are those of all responses that will come. A batch that completes none is left out.

    >>> yes = Response("yes", 2)
    >>> batches = [{3: yes, 0: yes}, {1: yes}, {2: yes}]
    >>> [list(batch) for batch in whole_images(batches, ["a", "c", "a", "b"])]
    [[3], [1], [0, 2]]
    """
    missing = Counter(image_ids)
    waiting: dict[str, dict[int, Response]] = defaultdict(dict)  # by image
    for batch in batches:
        for i, response in batch.items():
            waiting[image_ids[i]][i] = response
            missing[image_ids[i]] -= 1
        whole = [image_id for image_id in waiting if not missing[image_id]]
        if whole:
            yield {i: answer for image_id in whole for i, answer in waiting.pop(image_id).items()}
