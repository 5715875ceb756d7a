"""Scoring: predictions against ground truth, by the named protocol of either line of work.

`seg_zero` (Seg-Zero's evaluation, the paper's own): ignored pixels count as target; an answer that
    could not be read has intersection 0 and the ground truth's area as its union; an IoU of 0/0,
    which an empty ground truth can give, is 0.
`lisa` (LISA's validation): ignored pixels are left out on both sides; an answer that could not be
    read is an empty mask, as it is in LISA where no mask token was said; a sample's IoU is
    I / (U + 1e-5), and 1 where U = 0; cIoU is ΣI / (ΣU + 1e-10).
`rec` (LISA-Grounding): `box_iou`, the mean IoU of boxes as Visual-RFT has it, and
    `box_accuracy_0.5`, the share above 0.5 as VLM-R1 has it. A box's area is width × height, with
    no pixel added. Visual-RFT divides both boxes by the image's size first; that scales all areas
    alike and cancels out. An answer that could not be read scores 0, a box without an area too, and
    so does every answer where the truth has none: two of the test set's files are without a shape.
    Of a list the box around all of its boxes counts, as the truth is that around all that is asked
    for (VisionReasoner's script merges them so, and takes the best of all besides); the truth of
    LISA-Grounding is of one shape, and there the first alone counts, as Visual-RFT's code reads.

Of `seg_zero` and `lisa` the figures are `giou` (mean IoU over samples) and `ciou` (ΣI / ΣU). Every
protocol adds `unparseable`, the share of answers that could not be read: those without a mask (for
`rec`, without a box too). "Nothing there" is read: it has an empty mask, and no box.

Under `seg_zero` and `lisa`, *what* and *how* are told apart too (`samr1.evaluation.right`), over
the samples that have a target. `right_object`, where the objects of the images are given, is the
share of answers whose mask is of the right one, and `giou_right` the mean IoU of those alone;
`right_point` and `giou_right_point` are the same of answers whose point lies in the target. These
are two names because they are two questions: a loose answer may be of the right object with a point
beside it, and a point in a plate may come with the mask of its table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from samr1.core import schemas
from samr1.core.errors import say
from samr1.data.masks import Mask, box_around, box_iou, mask_overlap
from samr1.evaluation.answers import (
    answers_in_order,
    are_fractions,
    list_objects,
    read_box,
    read_mask,
)
from samr1.evaluation.bootstrap import Floats, Ratio, bootstrap
from samr1.evaluation.right import ImageObjects, is_right_object, is_right_point

Protocol = Literal["seg_zero", "lisa", "rec"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

# Whether an answer is of the right object -> the mean IoU of those that are.
RIGHT = {"right_object": "giou_right", "right_point": "giou_right_point"}

LISA_SAMPLE_EPSILON = 1e-5
LISA_TOTAL_EPSILON = 1e-10


def measure_overlaps(
    samples: pa.Table,
    predictions: pa.Table,
    protocol: Protocol,
    run: str = "imported",
    seed: int = 0,
    benchmark: str = "",
    objects: pa.Table | None = None,
) -> pa.Table:
    """Each sample's overlap with its answer under `protocol`, as rows of `schemas.OVERLAPS`.

    `samples` are rows of `schemas.SAMPLES`; `predictions` need `sample_id` and the `mask` (for
    `rec`, the `box`) in pixels of the original, null where there is no answer; `objects`, rows of
    `schemas.OBJECTS`, are those of the samples' images. Raises UserError unless every sample is
    answered once, by a mask of its image's size or a box of four numbers.
    """
    if protocol == "rec":
        measured = _measure_boxes(samples, predictions)
    else:
        measured = _measure_masks(samples, predictions, protocol, ImageObjects(objects))
    whose = {"run": run, "seed": seed, "benchmark": benchmark, "protocol": protocol}
    return pa.Table.from_pylist([whose | row for row in measured], schemas.OVERLAPS)


def score_overlaps(overlaps: pa.Table, *, resamples: int, bootstrap_seed: int) -> pa.Table:
    """The figures of one run, seed, benchmark and protocol, as rows of `schemas.METRICS`.

    Intervals are 95 % bootstrap intervals over images.
    """
    ratios = figures(overlaps)
    intervals = bootstrap(
        list(ratios.values()),
        overlaps["image_id"].to_pylist(),
        resamples=resamples,
        seed=bootstrap_seed,
    )
    whose = overlaps.select(["run", "seed", "benchmark", "protocol"]).slice(0, 1).to_pylist()[0]
    rows = [
        {
            **whose,
            "metric": metric,
            "value": interval.value,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "n": len(overlaps),
        }
        for metric, interval in zip(ratios, intervals, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.METRICS)


def figures(overlaps: pa.Table) -> dict[str, Ratio]:
    """Every figure by name, as sums over the samples, of the one protocol in `overlaps`."""
    protocol = overlaps["protocol"][0].as_py()
    ones = np.ones(len(overlaps))
    unparseable = Ratio(ones - _column(overlaps, "answered"), ones)
    if protocol == "rec":
        boxes = _column(overlaps, "box_iou")
        return {
            "box_iou": Ratio(boxes, ones),
            "box_accuracy_0.5": Ratio((boxes > 0.5).astype(np.float64), ones),
            "unparseable": unparseable,
        }
    intersection, union = _column(overlaps, "intersection"), _column(overlaps, "union")
    epsilon = LISA_TOTAL_EPSILON if protocol == "lisa" else 0.0
    ious = _sample_ious(intersection, union, protocol)
    found = {
        "giou": Ratio(ious, ones),
        "ciou": Ratio(intersection, union, epsilon),
        "unparseable": unparseable,
    }
    for name, given_right in RIGHT.items():
        known = overlaps[name].is_valid().to_numpy().astype(np.float64)
        right = np.nan_to_num(_column(overlaps, name))
        if known.any():
            found |= {name: Ratio(right, known), given_right: Ratio(ious * right, right)}
    return found


def sample_ious(overlaps: pa.Table) -> Floats:
    """The IoU [N] of each sample's answer, a mask's or under `rec` a box's."""
    found = figures(overlaps)
    return found["giou" if "giou" in found else "box_iou"].numerator


def _column(overlaps: pa.Table, name: str) -> Floats:
    return overlaps[name].cast(pa.float64()).to_numpy()


def _sample_ious(intersection: Floats, union: Floats, protocol: Protocol) -> Floats:
    if protocol == "lisa":
        return np.where(union == 0, 1.0, intersection / (union + LISA_SAMPLE_EPSILON))
    return Ratio(intersection, union).of_sums(intersection, union)


def _measure_boxes(samples: pa.Table, predictions: pa.Table) -> Iterator[dict[str, Any]]:
    """Box IoUs, 0 where there is no answer. "Nothing there" could be read, though it has no box."""
    answers = answers_in_order(samples, predictions, ["box"], ["others", "status"])
    given = zip(samples["sample_id"].to_pylist(), answers, strict=True)
    first = [
        read_box(name, "predicted", one["box"]) for name, one in given if one["box"] is not None
    ]
    if are_fractions(first):
        say("note: the predicted boxes lie between 0 and 1; they are read as pixels.")
    for sample, answer in zip(_rows(samples, "box", "dataset"), answers, strict=True):
        name, box, iou = sample["sample_id"], answer["box"], 0.0
        truth = read_box(name, "ground-truth", sample["box"])
        if box is not None:
            objects = list_objects(answer)[: 1 if sample["dataset"] == "lisa_grounding" else None]
            boxes = [read_box(name, "predicted", one["box"]) for one in objects]
            iou = box_iou(truth, box_around(boxes))
        yield {
            "sample_id": name,
            "image_id": sample["image_id"],
            "answered": box is not None or answer["status"] == "nothing_there",
            "box_iou": iou,
        }


def _measure_masks(
    samples: pa.Table, predictions: pa.Table, protocol: Protocol, objects: ImageObjects
) -> Iterator[dict[str, Any]]:
    """Intersection and union in pixels, and what is right, under a mask protocol."""
    answers = answers_in_order(samples, predictions, ["mask"], ["points", "status"])
    for sample, answer in zip(_rows(samples, "mask", "ignore"), answers, strict=True):
        truth, predicted = _masks(sample, answer["mask"], protocol)
        around = objects.of(sample["image_id"], sample["height"], sample["width"])
        # Of an answer without a box a point may have been read all the same; it is none, as in
        # training.
        is_whole = answer["mask"] is not None and answer["status"] != "nothing_there"
        shown = (is_whole and answer["points"]) or ()
        whole = (point for point in shown if point is not None and None not in point.values())
        points = [(point["x"], point["y"], point["value"]) for point in whole]
        intersection, union = mask_overlap(truth, predicted)
        yield {
            "sample_id": sample["sample_id"],
            "image_id": sample["image_id"],
            "answered": answer["mask"] is not None,
            "intersection": intersection,
            "union": union,
            "right_object": is_right_object(truth, predicted, around),
            "right_point": is_right_point(truth, predicted, points),
        }


def _masks(sample: dict[str, Any], given: Any, protocol: Protocol) -> tuple[Mask, Mask]:
    """The target and the `given` mask as a mask protocol compares them."""

    def read(whose: str, rle: Any) -> Mask:
        return read_mask(sample["sample_id"], whose, rle, sample["height"], sample["width"])

    truth = read("ground-truth", sample["mask"])
    predicted = np.zeros_like(truth) if given is None else read("predicted", given)
    if sample["ignore"] is None:
        return truth, predicted
    ignored = read("ignore", sample["ignore"])
    if protocol == "seg_zero":
        return truth | ignored, predicted
    return truth & ~ignored, predicted & ~ignored


def _rows(samples: pa.Table, *columns: str) -> Iterator[dict[str, Any]]:
    """The samples one by one, with a bounded number of encoded masks in memory."""
    wanted = samples.select(["sample_id", "image_id", "height", "width", *columns])
    for batch in wanted.to_batches(max_chunksize=256):
        yield from batch.to_pylist()
