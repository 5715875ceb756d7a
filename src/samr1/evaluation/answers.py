"""Predictions joined to their samples and checked: what the scoring protocols look at.

A predictions file made elsewhere needs `sample_id` and `mask` or `box`; of the other columns of
`schemas.PREDICTIONS`, `points`, `others` and `status` are read where they are there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.core.reading import find_twice
from samr1.data.masks import Mask, decode_mask


def answers_in_order(
    samples: pa.Table, predictions: pa.Table, needed: Sequence[str], others: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The answers in `samples`' order: their columns `needed` and, None where not there, `others`.

    None stands for an answer that could not be read. Raises UserError where a column is not there,
    and unless every sample is answered exactly once and nothing else is.
    """
    if not len(samples):
        raise UserError("there are no samples; index the benchmark again.")
    for name in ("sample_id", *needed):
        if name not in predictions.column_names:
            raise UserError(
                f"the predictions lack the column {name!r}, which this protocol scores."
            )
    ids = _cast(predictions, "sample_id").to_pylist()
    _check_ids(samples["sample_id"].to_pylist(), ids)
    row = {sample_id: i for i, sample_id in enumerate(ids)}
    rows = pa.array([row[sample_id] for sample_id in samples["sample_id"].to_pylist()])
    there = [*needed, *(name for name in others if name in predictions.column_names)]
    columns = {name: _cast(predictions, name).take(rows) for name in there}
    return [dict.fromkeys(others) | answer for answer in pa.table(columns).to_pylist()]


def list_objects(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects that a row of predictions lists, each with its `box` and `points`."""
    return [answer, *(one or {"box": None, "points": None} for one in answer["others"] or ())]


def _cast(predictions: pa.Table, name: str) -> pa.ChunkedArray:
    if name == "box" and "bool" in str(predictions[name].type):
        raise UserError("the predictions' boxes are true and false; give them in pixels.")
    try:
        return predictions[name].cast(schemas.PREDICTIONS.field(name).type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise UserError(
            f"the predictions' column {name!r} has the type {predictions[name].type}, not "
            f"{schemas.PREDICTIONS.field(name).type}."
        ) from error


def _check_ids(expected: list[str], given: list[str | None]) -> None:
    known, seen = set(expected), dict[str | None, int]()
    if twice := find_twice(expected):
        raise UserError(f"the samples have {twice!r} twice; keep one of its rows.")
    for row, sample_id in enumerate(given, start=1):
        if sample_id not in known:
            raise UserError(
                f"row {row} answers {sample_id!r}, which is not among the samples; predict on the "
                "samples that you score."
            )
        if sample_id in seen:
            raise UserError(
                f"rows {seen[sample_id]} and {row} both answer {sample_id!r}; keep one of them."
            )
        seen[sample_id] = row
    missing = [sample_id for sample_id in expected if sample_id not in seen]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(expected)} samples have no answer, the first {missing[0]!r}; "
            "give every sample a row, with a null mask or box where there is no answer."
        )


def read_box(sample_id: str, whose: str, box: Sequence[float | None] | None) -> list[float]:
    """A sample's box (xyxy, original pixels).

    Raises UserError unless it is four finite numbers, the far sides not before the near ones.
    """
    numbers = [value for value in box or () if value is not None and math.isfinite(value)]
    if box is None or len(box) != 4 or len(numbers) != 4:
        raise UserError(
            f"sample {sample_id!r}: the {whose} box {box} is not four finite numbers; write null "
            "for an answer without a box."
        )
    if numbers[2] < numbers[0] or numbers[3] < numbers[1]:
        raise UserError(f"sample {sample_id!r}: the {whose} box {numbers} is not [x1, y1, x2, y2].")
    return numbers


def are_fractions(boxes: Iterable[Sequence[float]]) -> bool:
    """Whether boxes (xyxy) seem to be parts of the image's sides: of those that have an area 95 %
    lie between 0 and 1.05, as rounding and what reaches a little beyond the image have it.
    """
    whole = [box for box in boxes if box[0] < box[2] and box[1] < box[3]]
    within = [box for box in whole if min(box) >= 0 and max(box) <= 1.05]
    return bool(whole) and len(within) >= 0.95 * len(whole)


def read_mask(
    sample_id: str, whose: str, rle: Mapping[str, Any] | None, height: int, width: int
) -> Mask:
    """A sample's run-length encoded mask as bool [h, w].

    Raises UserError where it is incomplete, broken, or not of the image's `height` and `width`.
    """
    if rle is None:
        raise UserError(f"sample {sample_id!r}: it has no {whose} mask.")
    if rle["size"] is None or rle["counts"] is None:
        raise UserError(
            f"sample {sample_id!r}: the {whose} mask lacks its size or its counts; write null for "
            "an answer without a mask."
        )
    if list(rle["size"]) != [height, width]:
        raise UserError(
            f"sample {sample_id!r}: the {whose} mask has the size {list(rle['size'])} and its "
            f"image {[height, width]} (height, width); masks are at the original image's size."
        )
    with prefix_errors(f"sample {sample_id!r}: the {whose} mask is broken"):
        return decode_mask(rle)
