"""Grounded-SAM's prediction: every question to Grounding DINO's best box, and that to a mask."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from samr1.config.baselines import DetectorConfig
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.detector import Detection, Detector
from samr1.detector.detector import write_caption
from samr1.evaluation.predict import read_original, segment
from samr1.policy.answer import Answer
from samr1.segmenter import Segmenter

Row = dict[str, Any]


def detect_masks(
    samples: pa.Table, root: Path, detector: Detector, segmenter: Segmenter, config: DetectorConfig
) -> pa.Table:
    """Answer every row of `samples`: rows of `schemas.PREDICTIONS`, in the same order.

    Boxes and masks are in pixels of the original; `text` holds the caption and the box's score.
    Where no box has a score above the threshold the status is `no_answer`. Raises UserError where
    an image is missing or not the one that its sample describes.
    """
    rows = samples.drop_columns(["mask", "ignore"]).to_pylist()
    if not rows:
        raise UserError("there are no samples to predict; index the benchmark again.")
    predicted: dict[str, Row] = {}
    with tqdm(total=len(rows), desc="detect", unit="sample", disable=None) as progress:
        for batch in deal_batches(rows, config.batch_size):
            for row in _detect_batch(batch, root, detector, segmenter, config.box_threshold):
                predicted[row["sample_id"]] = row
            progress.update(len(batch))
    in_order = [predicted[row["sample_id"]] for row in rows]
    return pa.Table.from_pylist(in_order, schema=schemas.PREDICTIONS)


def deal_batches(rows: Sequence[Row], size: int) -> list[list[Row]]:
    """Batches of `size` rows, or somewhat more: images of one size, none of them in two batches.

    >>> rows = [{"width": w, "height": 9, "image_id": i} for w, i in ((5, "a"), (5, "a"), (7, "b"))]
    >>> [len(batch) for batch in deal_batches(rows, 1)]
    [2, 1]
    """
    ordered = sorted(rows, key=_place)
    batches: list[list[Row]] = []
    for (width, height, _), members in groupby(ordered, key=_place):
        last = batches[-1] if batches else []
        alike = last and (last[0]["width"], last[0]["height"]) == (width, height)
        if not alike or len(last) >= size:
            batches.append(last := [])
        last.extend(members)
    return batches


def _place(row: Row) -> tuple[int, int, str]:
    return row["width"], row["height"], row["image_id"]


def _detect_batch(
    batch: Sequence[Row], root: Path, detector: Detector, segmenter: Segmenter, threshold: float
) -> list[Row]:
    shown = {row["image_id"]: row for row in batch}
    images = {image_id: read_original(root, row) for image_id, row in shown.items()}
    found = detector.detect(
        [images[row["image_id"]] for row in batch], [row["query"] for row in batch], threshold
    )
    answers = {
        i: Answer(detection.box, (), None, None, "ok")
        for i, detection in enumerate(found)
        if detection is not None
    }
    masks = segment(batch, answers, lambda row: images[row["image_id"]], segmenter)
    return [_prediction(row, found[i], *masks.get(i, (None, None))) for i, row in enumerate(batch)]


def _prediction(
    row: Row, detection: Detection | None, mask: Row | None, sam_score: float | None
) -> Row:
    caption = write_caption(row["query"])
    return {
        "sample_id": row["sample_id"],
        "text": caption if detection is None else f"{caption} {detection.score:.3f}",
        "box": detection and detection.box,
        "points": [],
        "mask": mask,
        "sam_score": sam_score,
        "status": "no_answer" if detection is None else "ok",
    }
