"""The segmenter in the loop: from the responses' texts to their rewards (section 3.3).

An image is embedded once a step; all prompts of a group are decoded in one batch. Where a box is
all that is known of the truth, the answer's own takes the place of its mask, without the segmenter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from samr1.config.schema import TrainStage
from samr1.data.masks import Mask, box_iou
from samr1.method.rewards import RewardParts, score_response
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.dialects import get_dialect
from samr1.segmenter import Embedding, Segmenter, answer_masks, mask_iou
from samr1.train.batches import Batch


@dataclass(frozen=True)
class ScoredResponse:
    """One response, read and rewarded: its answer (policy's frame), its IoU, its reward."""

    answer: Answer
    iou: float
    parts: RewardParts


def score_groups(
    segmenter: Segmenter,
    batch: Batch,
    texts: Sequence[Sequence[str]],
    stage: TrainStage,
) -> list[list[ScoredResponse]]:
    """Judge the G responses `texts[q]` to each sample of `batch`."""
    frame = get_dialect(stage.dialect).frame(stage.policy.image_size)
    answers = [[parse_answer(text, stage.dialect, frame) for text in group] for group in texts]
    scaled = [
        [to_original(one, frame, (sample.width, sample.height), stage.dialect) for one in group]
        for sample, group in zip(batch.samples, answers, strict=True)
    ]
    ious = group_ious(segmenter, batch, scaled)
    return [
        [
            ScoredResponse(answer, iou, _reward(text, answer, iou, stage))
            for text, answer, iou in zip(*group, strict=True)
        ]
        for group in zip(texts, answers, ious, strict=True)
    ]


def _reward(text: str, answer: Answer, iou: float, stage: TrainStage) -> RewardParts:
    return score_response(
        text,
        answer,
        iou,
        segmentation=stage.reward.segmentation,
        threshold=stage.reward.threshold,
        negative_points=stage.reward.negative_points,
    )


def group_ious(
    segmenter: Segmenter,
    batch: Batch,
    answers: Sequence[Sequence[Answer]],
) -> list[list[float]]:
    """The IoU of the answers [Q][G], in pixels of the originals, with the truths of `batch`.

    Images are embedded a few at a time, and each once, whatever the number of its questions.
    """
    ious: dict[int, list[float]] = {}
    asked: dict[str, list[tuple[int, Mask]]] = {}  # image_id -> its questions of masks
    for i, (sample, truth) in enumerate(zip(batch.samples, batch.truths, strict=True)):
        if isinstance(truth, list):
            ious[i] = [box_iou(one.box, truth) if one.box else 0.0 for one in answers[i]]
        else:
            asked.setdefault(sample.image_id, []).append((i, truth))
    originals = [batch.originals[image_id] for image_id in asked]
    for members, embedding in zip(asked.values(), segmenter.embed_each(originals), strict=True):
        for i, truth in members:
            ious[i] = answer_ious(segmenter, embedding, truth, answers[i])
    return [ious[i] for i in range(len(answers))]


def answer_ious(
    segmenter: Segmenter,
    embedding: Embedding,
    truth: Mask,
    answers: Sequence[Answer],
) -> list[float]:
    """The IoU of each answer's SAM mask with `truth` (bool [h, w]), at the original resolution.

    The answers are in pixels of the original. One without a box gets 0; the others go to the
    segmenter together.
    """
    readable = [index for index, answer in enumerate(answers) if answer.box is not None]
    ious = [0.0] * len(answers)
    if not readable:
        return ious
    masks, _ = answer_masks(segmenter, embedding, [answers[index] for index in readable])
    target = torch.from_numpy(truth).to(masks.device)
    for index, iou in zip(readable, mask_iou(masks, target).tolist(), strict=True):
        ious[index] = iou
    return ious
