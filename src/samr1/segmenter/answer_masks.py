"""From answers to masks: one mask an answer, however many objects it lists."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from samr1.policy.answer import Answer
from samr1.segmenter.segmenter import Embedding, Prompt, Segmenter


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
        for box, points in ((answer.box, answer.points), *answer.others):
            prompts.append(Prompt(box, points))
            owners.append(i)
    masks, scores = segmenter.predict(embedding, prompts)
    if len(prompts) == len(answers):
        return masks, scores
    united = torch.zeros_like(masks[: len(answers)])
    lowest = torch.full_like(scores[: len(answers)], torch.inf)
    for row, i in enumerate(owners):
        united[i] |= masks[row]
        lowest[i] = torch.minimum(lowest[i], scores[row])
    return united, lowest
