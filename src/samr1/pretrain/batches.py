"""Batches of the cold start: several questions a picture, its pixels cut into patches once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from samr1.micro.policy_config import IMAGE_SIZE, MERGE, PATCH
from samr1.micro.tokenizer import IMAGE_TOKEN, STOP_TOKEN
from samr1.policy.dialects import SYSTEM_PROMPT
from samr1.pretrain.examples import GRID, Example, Picture, dense_labels

# As Qwen2.5-VL's image processor normalises.
_MEAN, _STD = np.array(OPENAI_CLIP_MEAN, np.float32), np.array(OPENAI_CLIP_STD, np.float32)
_VALUE_PART = '], "value": '
SMEAR = 1.0  # pixels (standard deviation) over which a coordinate's target is spread
COORDINATES = IMAGE_SIZE + 1


@dataclass(frozen=True)
class Batch:
    """I pictures and R questions about them, right-padded to L tokens.

    patches [I·144, 294]; picture [R] names each question's picture; ids [R, L]; labels [R, L]
    (−100 where there is no loss: the prompt and the padding); is_coordinate [R, L] bool;
    color, shape [I, 36] long; boxes [I, 36, 4] in 0–1.
    """

    patches: Tensor
    picture: Tensor
    ids: Tensor
    labels: Tensor
    is_coordinate: Tensor
    color: Tensor
    shape: Tensor
    boxes: Tensor


def cut_patches(pixels: np.ndarray) -> np.ndarray:
    """uint8 [I, 84, 84, 3] → float32 [I·144, 294], as the image processor lays patches out."""
    images = (pixels.astype(np.float32) / 255.0 - _MEAN) / _STD
    count, side = len(images), IMAGE_SIZE // PATCH // MERGE
    split = images.reshape(count, side, MERGE, PATCH, side, MERGE, PATCH, 3)
    # → picture, merged row, merged column, row, column, channel, y, x
    ordered = split.transpose(0, 1, 4, 2, 5, 7, 3, 6)
    doubled = np.stack([ordered, ordered], axis=6)  # two equal frames in time
    return np.ascontiguousarray(doubled.reshape(count * (side * MERGE) ** 2, -1))


class Encoder:
    """Turns examples into token ids; knows where the coordinates are."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.numbers = torch.tensor(
            tokenizer.convert_tokens_to_ids([str(n) for n in range(COORDINATES)])
        )
        self._number_ids = set(self.numbers.tolist())
        self._value_id = tokenizer.convert_tokens_to_ids(_VALUE_PART)
        self._stop_id = tokenizer.convert_tokens_to_ids(STOP_TOKEN)

    def chat(self, prompt: str) -> list[int]:
        """Token ids of the chat up to the answer, the image expanded to its 36 tokens."""
        content = [{"type": "image"}, {"type": "text", "text": prompt}]
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": content},
        ]
        text = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        expanded = str(text).replace(IMAGE_TOKEN, IMAGE_TOKEN * GRID**2)
        ids: list[int] = self.tokenizer(expanded)["input_ids"]
        return ids

    def respond(self, response: str) -> tuple[list[int], list[bool]]:
        """Token ids of a response with its end-of-turn token, and which of them are coordinates."""
        ids: list[int] = self.tokenizer(response)["input_ids"] + [self._stop_id]
        before = [-1, *ids[:-1]]
        flags = [
            i in self._number_ids and b != self._value_id for i, b in zip(ids, before, strict=True)
        ]
        return ids, flags


def collate(
    encoder: Encoder, pictures: Sequence[Picture], examples: Sequence[Sequence[Example]]
) -> Batch:
    """One batch from pictures and, for each, its examples."""
    rows: list[tuple[list[int], list[int], list[bool]]] = []
    for group in examples:
        for example in group:
            prompt = encoder.chat(example.prompt)
            response, flags = encoder.respond(example.response)
            rows.append((prompt, response, flags))
    length = max(len(prompt) + len(response) for prompt, response, _ in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    labels = torch.full((len(rows), length), -100)
    is_coordinate = torch.zeros(len(rows), length, dtype=torch.bool)
    for row, (prompt, response, flags) in enumerate(rows):
        start, end = len(prompt), len(prompt) + len(response)
        ids[row, :end] = torch.tensor(prompt + response)
        labels[row, start:end] = torch.tensor(response)
        is_coordinate[row, start:end] = torch.tensor(flags)
    color, shape, boxes = zip(*(dense_labels(p.scene) for p in pictures), strict=True)
    counts = torch.tensor([len(group) for group in examples])
    return Batch(
        torch.from_numpy(cut_patches(np.stack([p.pixels for p in pictures]))),
        torch.repeat_interleave(torch.arange(len(pictures)), counts),
        ids,
        labels,
        is_coordinate,
        torch.from_numpy(np.stack(color)),
        torch.from_numpy(np.stack(shape)),
        torch.from_numpy(np.stack(boxes)),
    )
