"""Samples and predictions → what the gallery shows of each: columns of plain numbers and text.

A question's ground truth is that of the protocol `seg_zero`: ignored pixels are part of it. Its IoU
is the one that the tables average: of masks by `seg_zero`, on LISA-Grounding of boxes by `rec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pyarrow as pa

from samr1.data.masks import Mask, decode_mask
from samr1.evaluation.bootstrap import Floats
from samr1.evaluation.score import sample_ious
from samr1.report.gallery.drawing import frame_size, outline, to_frame

Columns = dict[str, list[Any]]
Measure = Literal["mask_iou", "box_iou"]

Outcome = Literal["good", "poor_mask", "wrong_object", "unparseable"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

GOOD_IOU = 0.5
# Where things stand apart a box either meets the right one or none; a loose one still meets it.
SAME_OBJECT_IOU = 0.1

TITLES: dict[Outcome, str] = {
    "good": "good",
    "poor_mask": "right object, poor mask",
    "wrong_object": "wrong object",
    "unparseable": "unparseable",
}
RULES: dict[Outcome, str] = {
    "good": f"The IoU is at least {GOOD_IOU}.",
    "poor_mask": (
        f"The IoU is below {GOOD_IOU}, and the answer's box or its mask overlaps the ground "
        f"truth's with an IoU of at least {SAME_OBJECT_IOU}."
    ),
    "wrong_object": (
        f"Neither the answer's box nor its mask has an IoU of {SAME_OBJECT_IOU} with the ground "
        "truth's."
    ),
    "unparseable": "No box could be read in the response, so that there is no mask.",
}

_MAX_TEXT = 4000  # characters of a thought or a response; a policy's are far shorter


@dataclass(frozen=True)
class Ious:
    """IoU [N] of the answers' masks (by `seg_zero`) and boxes (by `rec`) with the ground truth."""

    mask: Floats
    box: Floats


def measure_of(samples: pa.Table) -> Measure:
    """Which IoU the benchmark is scored by."""
    return "box_iou" if samples["dataset"][0].as_py() == "lisa_grounding" else "mask_iou"


def ious(samples: pa.Table, predictions: pa.Table) -> Ious:
    """The IoU of every sample as the tables have it; UserError as `evaluation.score.score`."""
    return Ious(
        mask=sample_ious(samples, predictions, "seg_zero"),
        box=sample_ious(samples, predictions, "rec"),
    )


def judge(answered: bool, iou: float, overlap: float) -> Outcome:
    """What became of an answer: `overlap` is the larger of its mask's and its box's IoU.

    >>> judge(True, 0.3, 0.4)
    'poor_mask'
    """
    if not answered:
        return "unparseable"
    if iou >= GOOD_IOU:
        return "good"
    return "poor_mask" if overlap >= SAME_OBJECT_IOU else "wrong_object"


def ground_truth(sample: dict[str, Any]) -> Mask:
    """The target with the ignored pixels, bool [h, w], as `seg_zero` scores it."""
    truth = decode_mask(sample["mask"])
    return truth if sample["ignore"] is None else truth | decode_mask(sample["ignore"])


def question(sample: dict[str, Any], truth: Mask) -> dict[str, Any]:
    """What is shown of a sample; `truth` is its ground truth, the box and outline in its frame."""
    width, height = sample["width"], sample["height"]
    return {
        "id": sample["sample_id"],
        "query": _cut(sample["query"]),
        "size": frame_size(width, height),
        "truth": outline(truth),
        "truth_box": to_frame(sample["box"], width, height),
    }


def answers(samples: pa.Table, predictions: pa.Table) -> Columns:
    """What is shown of one run's answers, in the order of `samples`; boxes, points and outlines in
    the sample's frame. Raises UserError as `evaluation.score.score`.
    """
    measure, overlaps = measure_of(samples), ious(samples, predictions)
    sizes = samples.select(["sample_id", "width", "height"]).to_pylist()
    given = _in_order(predictions, samples["sample_id"].to_pylist())
    rows = []
    for i, (size, answer) in enumerate(zip(sizes, given, strict=True)):
        mask_iou, box_iou = float(overlaps.mask[i]), float(overlaps.box[i])
        box_counts = measure == "box_iou"
        answered = answer["box" if box_counts else "mask"] is not None
        outcome = judge(answered, box_iou if box_counts else mask_iou, max(mask_iou, box_iou))
        rows.append(
            {
                "mask_iou": round(mask_iou, 4),
                "box_iou": round(box_iou, 4),
                "outcome": OUTCOMES.index(outcome),
                **_shown(answer, size["width"], size["height"]),
            }
        )
    return to_columns(rows)


def _shown(answer: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    points = [
        [*to_frame([point["x"], point["y"]], width, height), point["value"]]
        for point in answer["points"] or []
    ]
    return {
        "status": answer["status"],
        "think": _cut(answer["think"]),
        "label": _cut(answer["label"]),
        "box": answer["box"] and to_frame(answer["box"], width, height),
        "points": points,
        "mask": None if answer["mask"] is None else outline(decode_mask(answer["mask"])),
        # What could be read is shown as it was read; the response itself where it could not.
        "text": None if answer["status"] == "ok" else _cut(answer["text"]),
    }


def _in_order(predictions: pa.Table, sample_ids: Sequence[str]) -> Any:
    """The predictions' rows one by one in the order of `sample_ids`, few of them in memory."""
    row = {sample_id: i for i, sample_id in enumerate(predictions["sample_id"].to_pylist())}
    ordered = predictions.take(pa.array([row[sample_id] for sample_id in sample_ids]))
    for batch in ordered.to_batches(max_chunksize=256):
        yield from batch.to_pylist()


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def to_columns(rows: Sequence[dict[str, Any]]) -> Columns:
    """Rows of the same keys as columns, which are far fewer characters."""
    return {key: [row[key] for row in rows] for key in rows[0]}
