"""From answers to masks: one mask an answer, however many objects it lists."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from samr1.policy.answer import Answer
from samr1.segmenter.segmenter import Embedding, Prompt, Segmenter

# Prompts decoded together, and pixels of their masks, which are float32 before they are bool: an
# answer may list a thousand objects, and a photograph have a hundred million pixels.
PROMPTS_TOGETHER, PIXELS_TOGETHER = 64, 2**27


def answer_masks(
    segmenter: Segmenter, embedding: Embedding, answers: Sequence[Answer]
) -> tuple[Tensor, Tensor]:
    """Masks bool [N, h, w] and SAM's scores float32 [N] of N answers in pixels of the original.

    Each object's box and points are one prompt. Of several objects the masks are united, as
    VisionReasoner's evaluation does, and the lowest score stands. Every answer must have a box.
    """
    prompts: list[Prompt] = []
    owners: list[int] = []
    for i, answer in enumerate(answers):
        for box, points in answer.objects:
            prompts.append(Prompt(box, points))
            owners.append(i)
    size, device = (embedding.height, embedding.width), segmenter.device
    united = torch.zeros(len(answers), *size, dtype=torch.bool, device=device)
    lowest = torch.full((len(answers),), torch.inf, device=device)
    together = max(1, min(PROMPTS_TOGETHER, PIXELS_TOGETHER // (size[0] * size[1])))
    for start in range(0, len(prompts), together):
        masks, scores = segmenter.predict(embedding, prompts[start : start + together])
        for i, mask, score in zip(owners[start:], masks, scores, strict=False):
            united[i] |= mask
            lowest[i] = torch.minimum(lowest[i], score)
    return united, lowest
