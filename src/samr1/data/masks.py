"""Masks: run-length encoding, polygons, ReasonSeg's shapes, boxes and IoU.

A mask is bool [h, w] in pixels of the original image. A box is xyxy in the same frame with x2 and
y2 one past the last pixel, so that its width is x2 - x1; the box of an empty mask is all zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from samr1.core.errors import UserError

Mask = npt.NDArray[np.bool_]

# Beyond this no coordinate is a pixel; the rasterisers' fixed-point numbers would overflow.
_FARTHEST = 100_000.0


class Rle(TypedDict):
    """COCO run-length encoding: `size` is [h, w], `counts` the compressed bytes."""

    size: list[int]
    counts: bytes


def encode_mask(mask: npt.NDArray[Any]) -> Rle:
    """Encode a mask [h, w] (bool, or integers of which every non-zero one counts) as COCO RLE."""
    rle = coco.encode(np.asfortranarray(mask.astype(bool), dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"]}


def decode_mask(rle: Mapping[str, Any]) -> Mask:
    """Decode a COCO RLE (compressed; `counts` bytes or str) to bool [h, w].

    Raises UserError where the runs do not add up to the size.
    """
    size = [int(side) for side in rle["size"]]
    counts = rle["counts"]
    counts = counts.encode("utf-8", "surrogatepass") if isinstance(counts, str) else bytes(counts)
    runs = _parse_runs(counts)
    if len(size) != 2 or min(size) < 0 or runs is None or sum(runs) != size[0] * size[1]:
        raise UserError(f"a mask of size {size} has a run-length encoding that does not fit it.")
    return _fill_runs(runs, size[0], size[1])


def _parse_runs(counts: bytes) -> list[int] | None:
    """The runs of a compressed encoding, or None where it is not one.

    As pycocotools's `rleFrString`, which trusts its input: 5 bits a character, the least first, a
    sixth saying that more follow; from the fourth run on, differences to the run before last.
    """
    runs: list[int] = []
    value = shift = 0
    for byte in counts:
        bits = byte - 48
        if not 0 <= bits < 64 or shift > 30:
            return None
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:  # negative, in two's complement
            value -= 1 << shift
        run = value + (runs[-2] if len(runs) > 2 else 0)
        if run < 0:
            return None
        runs.append(run)
        value = shift = 0
    return None if shift else runs


def _fill_runs(runs: Sequence[int], height: int, width: int) -> Mask:
    """Runs alternate between background and object, down the columns."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def segmentation_to_mask(segmentation: object, height: int, width: int) -> Mask:
    """Rasterise a COCO `segmentation` (polygons, compressed or plain RLE) to bool [h, w].

    Several polygons are united, as the REFER toolkit does. Raises UserError where it is none of
    the three, does not fit the image, or covers no pixel.
    """
    if isinstance(segmentation, Mapping):
        mask = rle_to_mask(segmentation, height, width)
    elif isinstance(segmentation, list) and segmentation:
        mask = polygons_to_mask(segmentation, height, width)
    else:
        raise UserError("it has no segmentation.")
    if not mask.any():
        raise UserError("its segmentation covers no pixel.")
    return mask


def polygons_to_mask(polygons: Sequence[object], height: int, width: int) -> Mask:
    """Rasterise the union of COCO polygons ([x1, y1, x2, y2, …] each) with pycocotools."""
    for polygon in polygons:
        # A list of four numbers would be taken for a box by pycocotools.
        if not _are_numbers(polygon) or len(polygon) < 6 or len(polygon) % 2:  # type: ignore[arg-type]
            raise UserError("its segmentation has a polygon that is not three or more x, y pairs.")
    return decode_mask(coco.merge(coco.frPyObjects(list(polygons), height, width)))


def rle_to_mask(rle: Mapping[str, Any], height: int, width: int) -> Mask:
    """Decode a COCO RLE, compressed or plain (`counts` a list of runs), to bool [height, width].

    Raises UserError where its size is another or its runs do not fit.
    """
    counts = rle.get("counts")
    if rle.get("size") != [height, width]:
        raise UserError(
            f"its segmentation has the size {rle.get('size')}, its image {[height, width]}."
        )
    if isinstance(counts, (str, bytes)):
        return decode_mask(rle)
    if not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise UserError("its segmentation's run lengths are not whole numbers.")
    if sum(counts) != height * width:
        raise UserError("its segmentation's run lengths do not add up to its image.")
    return _fill_runs(counts, height, width)


def rasterise_shapes(
    shapes: Sequence[Mapping[str, Any]], height: int, width: int
) -> tuple[Mask, Mask]:
    """Draw ReasonSeg shapes as LISA does; returns (target, ignore), both bool [h, w].

    Shapes labelled "flag" are left out. The others are drawn by area, the largest first, so that a
    later one overwrites: a closed outline of thickness 1, then the filled polygon, with points
    truncated to integers. A label that contains "ignore" marks ignored pixels, any other the
    target. Of two equal areas the later shape is drawn first (LISA reverses an ascending sort).
    Raises UserError where a shape has no points or a point is not a pair of numbers.
    """
    drawn = []
    for shape in shapes:
        points = shape_points(shape).astype(np.int32)[None]  # [1, n, 2]
        label = str(shape["label"]).lower()
        if label == "flag":
            continue
        alone = np.zeros((height, width), np.uint8)
        _draw(alone, points, 1)
        drawn.append((int(alone.sum()), points, 255 if "ignore" in label else 1))
    canvas = np.zeros((height, width), np.uint8)
    for index in np.argsort([area for area, _, _ in drawn], kind="stable")[::-1]:
        _draw(canvas, drawn[index][1], drawn[index][2])
    return canvas == 1, canvas == 255


def _draw(canvas: npt.NDArray[np.uint8], points: npt.NDArray[np.int32], value: int) -> None:
    cv2.polylines(canvas, points, True, value, 1)  # type: ignore[call-overload]
    cv2.fillPoly(canvas, points, value)  # type: ignore[call-overload]


def shape_points(shape: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """The points [n, 2] of a ReasonSeg shape, pixels of the original; raises UserError if bad."""
    points = shape.get("points")
    good = isinstance(points, list) and points and isinstance(shape.get("label"), str)
    if not good or not all(_are_numbers(point) and len(point) == 2 for point in points):  # type: ignore[union-attr]
        raise UserError("a shape has no label, no points, or a point that is not two numbers.")
    return np.array(points, np.float64)


def _are_numbers(values: object) -> bool:
    """Whether `values` is a list of finite numbers that can be pixel coordinates."""
    return isinstance(values, list) and all(
        type(value) in (int, float) and math.isfinite(value) and abs(value) <= _FARTHEST
        for value in values
    )


def mask_box(mask: npt.NDArray[Any]) -> list[float]:
    """The extent of a mask [h, w] as xyxy, x2 and y2 one past the last pixel; zeros where empty."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return [0.0, 0.0, 0.0, 0.0]
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def mask_overlap(first: Mask, second: Mask) -> tuple[int, int]:
    """The intersection and the union of two masks [h, w], in pixels."""
    return int((first & second).sum()), int((first | second).sum())


def mask_iou(first: Mask, second: Mask) -> float:
    """The IoU of two masks [h, w]; 0 where both are empty."""
    intersection, union = mask_overlap(first, second)
    return intersection / union if union else 0.0


def box_iou(first: Sequence[float], second: Sequence[float]) -> float:
    """The IoU of two boxes (xyxy, one frame); 0 where neither has an area.

    >>> box_iou([0, 0, 2, 2], [1, 0, 3, 2])
    0.3333333333333333
    """
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    intersection = max(width, 0.0) * max(height, 0.0)
    union = _box_area(first) + _box_area(second) - intersection
    return intersection / union if union > 0 else 0.0


def _box_area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
