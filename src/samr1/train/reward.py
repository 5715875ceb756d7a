"""The segmenter in the loop: from the responses' texts to their rewards (section 3.3).

An image is embedded once a step; all prompts of a group are decoded in one batch. Where a box is
all that is known of the truth, the answer's own takes the place of its mask, without the segmenter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from samr1.config.schema import TrainStage
from samr1.data.masks import Mask, box_around, box_iou, box_mask
from samr1.evaluation.right import is_right_point
from samr1.method.rewards import IouWindow, RewardParts, score_response
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.dialects import get_dialect
from samr1.segmenter import Embedding, Segmenter, answer_masks, mask_iou
from samr1.train.batches import Batch, ignored_pixels

Measured = tuple[float, bool]  # the mask's IoU, and whether the point lies in the target


@dataclass(frozen=True)
class ScoredResponse:
    """One response, read and rewarded: its answer (policy's frame), its IoU, its reward.

    `right_point` says whether the point that it shows lies in the target; no reward depends on it.
    """

    answer: Answer
    iou: float
    right_point: bool
    parts: RewardParts


def score_groups(
    segmenter: Segmenter,
    batch: Batch,
    texts: Sequence[Sequence[str]],
    stage: TrainStage,
    window: IouWindow | None = None,
) -> list[list[ScoredResponse]]:
    """Judge the G responses `texts[q]` to each sample of `batch`.

    `window` has the training's last IoUs, for the reward that ranks among them.
    """
    frame = get_dialect(stage.dialect).frame(stage.policy.image_size)
    answers = [[parse_answer(text, stage.dialect, frame) for text in group] for group in texts]
    scaled = [
        [to_original(one, frame, (sample.width, sample.height), stage.dialect) for one in group]
        for sample, group in zip(batch.samples, answers, strict=True)
    ]
    measured = measure_groups(segmenter, batch, scaled)
    return [
        [
            ScoredResponse(
                answer, iou, right, score_response(text, answer, iou, stage.reward, window)
            )
            for text, answer, (iou, right) in zip(*group, strict=True)
        ]
        for group in zip(texts, answers, measured, strict=True)
    ]


def measure_groups(
    segmenter: Segmenter,
    batch: Batch,
    answers: Sequence[Sequence[Answer]],
) -> list[list[Measured]]:
    """The answers [Q][G], in pixels of the originals, measured against the batch's truths.

    Images are embedded a few at a time, and each once, whatever the number of its questions.
    """
    measured: dict[int, list[Measured]] = {}
    asked: dict[str, list[tuple[int, Mask]]] = {}  # image_id -> its questions of masks
    for i, (sample, truth) in enumerate(zip(batch.samples, batch.truths, strict=True)):
        if isinstance(truth, list):
            measured[i] = measure_boxes(truth, answers[i], sample.height, sample.width)
        else:
            asked.setdefault(sample.image_id, []).append((i, truth))
    originals = [batch.originals[image_id] for image_id in asked]
    for members, embedding in zip(asked.values(), segmenter.embed_each(originals), strict=True):
        for i, truth in members:
            ignored = ignored_pixels(batch.samples[i])
            measured[i] = measure_answers(segmenter, embedding, truth, answers[i], ignored)
    return [measured[i] for i in range(len(answers))]


def measure_boxes(
    truth: list[float], answers: Sequence[Answer], height: int, width: int
) -> list[Measured]:
    """Each answer's box and point against the box `truth`, in pixels of the original.

    Of a list it is the box around all of its boxes, and its pixels stand for the mask where the
    point is asked for. An answer without a box gets 0 and False.
    """
    target = box_mask(truth, height, width)

    def measure(answer: Answer) -> Measured:
        if answer.box is None:
            return 0.0, False
        box = box_around([box for box, _ in answer.objects])
        shown = box_mask(box, height, width)
        return box_iou(box, truth), bool(is_right_point(target, shown, answer.points))

    return [measure(one) for one in answers]


def measure_answers(
    segmenter: Segmenter,
    embedding: Embedding,
    truth: Mask,
    answers: Sequence[Answer],
    ignored: Mask | None = None,
) -> list[Measured]:
    """Each answer's SAM mask and point against `truth` (bool [h, w]), at the original resolution.

    The answers are in pixels of the original. One without a box gets 0 and False; the others go to
    the segmenter together. The pixels `ignored` (bool [h, w]) are left out on both sides.
    """
    readable = [index for index, answer in enumerate(answers) if answer.box is not None]
    measured: list[Measured] = [(0.0, False)] * len(answers)
    if not readable:
        return measured
    masks, _ = answer_masks(segmenter, embedding, [answers[index] for index in readable])
    if ignored is not None:
        truth = truth & ~ignored
        masks &= torch.from_numpy(~ignored).to(masks.device)
    target = torch.from_numpy(truth).to(masks.device)
    ious = mask_iou(masks, target).tolist()
    for index, mask, iou in zip(readable, masks.cpu().numpy(), ious, strict=True):
        measured[index] = iou, bool(is_right_point(truth, mask, answers[index].points))
    return measured
