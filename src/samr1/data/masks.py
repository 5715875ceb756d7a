"""Masks: run-length encoding, polygons, boxes and IoU.

A mask is bool [h, w] in pixels of the original image. A box is xyxy in the same frame with x2 and
y2 one past the last pixel, so that its width is x2 - x1; the box of an empty mask is all zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, TypedDict, TypeGuard

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from samr1.core.errors import UserError
from samr1.data.images import MAX_PIXELS

Mask = npt.NDArray[np.bool_]

# Beyond this no coordinate is a pixel; the rasterisers' fixed-point numbers would overflow.
_FARTHEST = 100_000.0
# Of an outline, in pixels: pycocotools takes a hundred bytes for each. Real ones have thousands.
_LONGEST = 2_000_000


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
    if height * width > MAX_PIXELS:
        raise UserError(f"a mask of {width}×{height} has more than {MAX_PIXELS:,} pixels.")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def segmentation_to_mask(
    segmentation: object, height: int, width: int, inside: bool = False
) -> Mask:
    """Rasterise a COCO `segmentation` (polygons, one or several RLEs) to bool [h, w].

    Several parts are united, as the REFER toolkit does; where they overlap, LISA's masks have
    holes. Raises UserError where it is none of these or does not fit the image; with `inside` also
    where polygons reach far beyond it, as those of a larger size of the image do.
    """
    if segmentation is None or segmentation == []:
        raise UserError("it has no segmentation.")
    parts: list[Any] = segmentation if isinstance(segmentation, list) else [segmentation]
    if all(isinstance(part, Mapping) for part in parts):
        return reduce(np.logical_or, (rle_to_mask(part, height, width) for part in parts))
    if not isinstance(segmentation, list):
        raise UserError("its segmentation is neither polygons nor run lengths.")
    return polygons_to_mask(segmentation, height, width, inside)


def polygons_to_mask(
    polygons: Sequence[object], height: int, width: int, inside: bool = False
) -> Mask:
    """Rasterise the union of COCO polygons ([x1, y1, x2, y2, …] each) with pycocotools.

    A polygon of one or two points beside good ones is drawn as pycocotools draws it. Rows of pixels
    in the polygons' place, [h][w] of 0 and 1 or 255, are taken for what they are. Raises UserError
    where a polygon is none or too long, all points lie between 0 and 1, no pixel is covered, or,
    with `inside`, a point lies far beyond the image.
    """
    dense = _read_rows(polygons, height, width)
    if dense is not None:
        return dense
    good = [one for one in polygons if are_coordinates(one) and one and len(one) % 2 == 0]
    if len(good) < len(polygons) or max(map(len, good)) < 6:
        raise UserError("its segmentation has a polygon that is not three or more x, y pairs.")
    if all(0 <= value <= 1 for one in good for value in one):
        raise UserError("its polygons' points all lie between 0 and 1; give them in pixels.")
    farthest = [max(max(one[start::2]) for one in good) for start in (0, 1)]
    if inside and (farthest[0] > width * 1.05 + 2 or farthest[1] > height * 1.05 + 2):
        raise UserError(
            f"its polygons go to {farthest[0]:g}, {farthest[1]:g} in an image of {width}×{height}; "
            "give them at the original's size."
        )
    for one in good:
        check_outline(np.array(one, np.float64).reshape(-1, 2))
    # Where the first had four numbers, pycocotools would take all for boxes.
    longest_first = sorted(good, key=len, reverse=True)
    mask = decode_mask(coco.merge(coco.frPyObjects(longest_first, height, width)))
    if not mask.any():
        raise UserError(f"its polygons cover no pixel of the image's {width}×{height}.")
    return mask


def _read_rows(rows: Sequence[object], height: int, width: int) -> Mask | None:
    """The mask of rows of pixels; None where they are polygons. Raises UserError by their size."""
    first = rows[0]
    if len(rows) < 2 or not isinstance(first, list) or not first:
        return None
    if not all(isinstance(row, list) and len(row) == len(first) for row in rows):
        return None
    values = {value if type(value) in (int, bool) else None for row in rows for value in row}  # type: ignore[attr-defined]
    if not (values <= {0, 1} or values <= {0, 255}):
        return None
    pixels = np.array(rows)
    if pixels.shape != (height, width):
        raise UserError(
            f"its segmentation is {len(rows)} rows of {len(first)} pixels, and its image has "
            f"{height} of {width}."
        )
    return pixels != 0


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


def check_outline(points: npt.NDArray[np.float64]) -> None:
    """Raise UserError where a polygon [n, 2] is so long that drawing it would fill the memory."""
    length = float(np.abs(np.diff(points, axis=0, append=points[:1])).sum())
    if length > _LONGEST:
        raise UserError(
            f"a polygon's outline is {length:,.0f} pixels long, and no object's is more than "
            f"{_LONGEST:,}; draw it again."
        )


def are_coordinates(values: object) -> TypeGuard[list[float]]:
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


def box_mask(box: Sequence[float], height: int, width: int) -> Mask:
    """The pixels of a box (xyxy, to the nearest pixel), bool [height, width]."""
    mask = np.zeros((height, width), bool)
    x1, y1, x2, y2 = (max(round(value), 0) for value in box)
    mask[y1:y2, x1:x2] = True
    return mask


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


def box_around(boxes: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    """The smallest box (xyxy) around `boxes`, one at least.

    >>> box_around([(2, 3, 5, 6), (4, 1, 9, 5)])
    (2, 1, 9, 6)
    """
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def _box_area(box: Sequence[float]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
