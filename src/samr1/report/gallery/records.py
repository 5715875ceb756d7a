"""Samples and predictions → what the gallery shows of each: columns of plain numbers and text.

A question's ground truth is that of the protocol `seg_zero`: ignored pixels are part of it. Its IoU
is the one that the tables average: of masks by `seg_zero`, on LISA-Grounding of boxes by `rec`, as
where a box is all that is known; there the pixels of the box stand for the mask. So is what makes
it an answer of the right object. On data of one's own it is `lisa`, as on its page: ignored pixels
are neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from samr1.data.masks import box_mask, decode_mask, encode_mask
from samr1.evaluation.answers import answers_in_order, list_objects
from samr1.evaluation.score import measure_overlaps, sample_ious
from samr1.report.gallery.drawing import (
    Size,
    box_outline,
    frame_size,
    mask_outline,
    thumbnail,
    to_frame,
)
from samr1.report.gallery.kinds import Kind, has_complex_boundary
from samr1.report.predictions import is_of_boxes, mask_protocol

Columns = dict[str, list[Any]]
Outcome = Literal["good", "low_iou", "wrong_object", "unparseable"]

GOOD_IOU = 0.5
_SHOWN = ("status", "think", "label", "text", "box", "points", "others", "mask")

# Title and rule of each outcome.
OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "good": ("✓ good", f"The IoU is at least {GOOD_IOU}."),
    "low_iou": (
        "◐ right object, low IoU",
        f"The IoU is below {GOOD_IOU}, and the mask overlaps the object asked about more, by IoU, "
        "than any other annotated object of the image (right_object); where the others are not "
        "annotated, the answer's point lies in the ground truth (right_point).",
    ),
    "wrong_object": ("✗ wrong object", f"The IoU is below {GOOD_IOU}, and none of that holds."),
    "unparseable": ("? unparseable", "The response could not be read, so that there is no mask."),
}


def fill_boxes(samples: pa.Table) -> pa.Table:
    """The samples with the pixels of the box as the mask where there is none."""
    rows = samples.select(["mask", "box", "height", "width"]).to_pylist()
    filled = [
        row["mask"] or encode_mask(box_mask(row["box"], row["height"], row["width"]))
        for row in rows
    ]
    place, field = samples.schema.get_field_index("mask"), samples.schema.field("mask")
    return samples.set_column(place, field, pa.array(filled, field.type))


def judge(answered: bool, iou: float, right: bool) -> Outcome:
    """What became of an answer, by its IoU and whether it is of the `right` object.

    >>> judge(True, 0.3, True)
    'low_iou'
    """
    if not answered:
        return "unparseable"
    if iou >= GOOD_IOU:
        return "good"
    return "low_iou" if right else "wrong_object"


def list_questions(
    samples: pa.Table, kinds: Sequence[set[Kind]], root: Path, images: dict[str, str]
) -> Columns:
    """What is shown of each sample, and its image by its place in `images` (path -> thumbnail).

    `kinds` are known of the samples apart from their ground truth. An image that `images` lacks is
    read under `root`; raises UserError where it cannot be.
    """
    of_boxes = is_of_boxes(samples)
    samples = fill_boxes(samples)
    places = {path: place for place, path in enumerate(images)}
    rows = []
    for sample, known in zip(samples.to_pylist(), kinds, strict=True):
        path, size = sample["image_path"], (sample["width"], sample["height"])
        if path not in places:
            places[path] = len(places)
            images[path] = thumbnail(root / path, size, sample["sample_id"])
        truth = decode_mask(sample["mask"])
        if sample["ignore"] is not None and mask_protocol(samples) == "seg_zero":
            truth |= decode_mask(sample["ignore"])
        boundaries: set[Kind] = {"boundaries"} if has_complex_boundary(truth) else set()
        rows.append(
            {
                "id": sample["sample_id"],
                "query": sample["query"],
                "image": places[path],
                "size": frame_size(*size),
                "truth": box_outline(sample["box"], size) if of_boxes else mask_outline(truth),
                "kinds": sorted(known | boundaries),
            }
        )
    return _to_columns(rows)


def list_answers(
    samples: pa.Table, predictions: pa.Table, objects: pa.Table | None = None
) -> Columns:
    """What is shown of one run's answers, in the order of `samples`.

    `objects` are all of the images'. Outlines and points are in the sample's frame. Raises
    UserError as `measure_overlaps`.
    """
    of_boxes = is_of_boxes(samples)
    samples = fill_boxes(samples)
    overlaps = measure_overlaps(samples, predictions, mask_protocol(samples), objects=objects)
    rights = pc.coalesce(overlaps["right_object"], overlaps["right_point"], False).to_pylist()
    mask_ious = sample_ious(overlaps).tolist()
    box_ious = sample_ious(measure_overlaps(samples, predictions, "rec")).tolist()
    answers = answers_in_order(samples, predictions, _SHOWN)
    sizes = zip(samples["width"].to_pylist(), samples["height"].to_pylist(), strict=True)
    rows = []
    for answer, size, right, mask_iou, box_iou in zip(
        answers, sizes, rights, mask_ious, box_ious, strict=True
    ):
        answered = answer["box" if of_boxes else "mask"] is not None
        answered = answered or answer["status"] == "nothing_there"
        iou, other = (box_iou, mask_iou) if of_boxes else (mask_iou, box_iou)
        numbers = {"iou": round(iou, 4), "other_iou": round(other, 4)}
        outcome = judge(answered, iou, right)
        rows.append({"outcome": outcome, **numbers, **_show_answer(answer, size)})
    return _to_columns(rows)


def _show_answer(answer: dict[str, Any], size: Size) -> dict[str, Any]:
    objects = list_objects(answer)
    points = [point for one in objects for point in one["points"] or []]
    return {
        "status": answer["status"],
        "think": answer["think"],
        "label": answer["label"],
        "box": "".join(box_outline(one["box"], size) for one in objects if one["box"]) or None,
        "points": [[*to_frame([p["x"], p["y"]], size), p["value"]] for p in points],
        "mask": answer["mask"] and mask_outline(decode_mask(answer["mask"])),
        # What could be read is shown as it was read; the response itself where it could not.
        "text": None if answer["status"] == "ok" else answer["text"],
    }


def _to_columns(rows: Sequence[dict[str, Any]]) -> Columns:
    """Rows of the same keys as columns, which are far fewer characters."""
    return {key: [row[key] for row in rows] for key in rows[0]}
