"""Masks: run-length encoding, polygons, boxes and IoU.

A mask is bool [h, w] in pixels of the original image. A box is xyxy in the same frame with x2 and
y2 one past the last pixel, so that its width is x2 - x1; the box of an empty mask is all zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import sub
from typing import Any, TypedDict, TypeGuard

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from samr1.core.errors import UserError
from samr1.data.image_files import MAX_PIXELS

Mask = npt.NDArray[np.bool_]

# Beyond this no coordinate is a pixel; the rasterisers' fixed-point numbers would overflow.
_FARTHEST = 100_000.0
# Of outlines, in pixels: pycocotools takes a hundred bytes for each. Real ones have thousands.
_LONGEST = 2_000_000
_MERGED_AT_ONCE = 64
MOST_DRAWN = 1_000_000_000
"""Pixels of all parts of one target together: 25 megapixels take 40 ms a part."""


class Rle(TypedDict):
    """COCO run-length encoding: `size` is [h, w], `counts` the compressed bytes."""

    size: list[int]
    counts: bytes


def encode_mask(mask: npt.NDArray[Any]) -> Rle:
    """Encode a mask [h, w] (bool, or integers of which every non-zero one counts) as COCO RLE."""
    rle = coco.encode(np.asfortranarray(mask.astype(bool, copy=False), dtype=np.uint8))
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
        if len(parts) * height * width > MOST_DRAWN:
            raise UserError(f"its {len(parts)} run lengths are too many; write one for all of it.")
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
    where a polygon is none, all together are too long, all points lie between 0 and 1, no pixel is
    covered, or, with `inside`, a point lies far beyond the image.
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
    measure_outlines(good)
    # Where the first had four numbers, pycocotools would take all for boxes.
    longest_first = sorted(good, key=len, reverse=True)
    mask = decode_mask(_merge(coco.frPyObjects(longest_first, height, width)))
    if not mask.any():
        raise UserError(f"its polygons cover no pixel of the image's {width}×{height}.")
    return mask


def _merge(parts: list[Rle]) -> Rle:
    """The union; by a few at a time, because each is merged into all that came before it."""
    while len(parts) > 1:
        starts = range(0, len(parts), _MERGED_AT_ONCE)
        parts = [coco.merge(parts[start : start + _MERGED_AT_ONCE]) for start in starts]
    return parts[0]


def _read_rows(rows: Sequence[Any], height: int, width: int) -> Mask | None:
    """The mask of rows of pixels; None where they are polygons.

    Raises UserError where they have another size, or their values are not those of a mask.
    """
    if not all(isinstance(row, list) and row and len(row) == len(rows[0]) for row in rows):
        return None
    values = {value if type(value) in (int, float, bool) else None for row in rows for value in row}
    of_mask = values <= {0, 1} or values <= {0, 255}
    if (len(rows), len(rows[0])) == (height, width):
        if not of_mask:
            raise UserError(
                "its segmentation is rows of pixels that are not 0 and 1, or 0 and 255; write "
                "one of these two for each."
            )
        return np.array(rows) != 0
    if of_mask and len(rows) > 1:
        raise UserError(
            f"its segmentation is {len(rows)} rows of {len(rows[0])} pixels, and its image has "
            f"{height} of {width}."
        )
    return None


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


def measure_outlines(polygons: Sequence[Sequence[float]]) -> float:
    """The length of polygons ([x1, y1, x2, y2, …] each), pixels along the rows and columns.

    Raises UserError where it is so large that drawing them takes too much time and memory.
    """
    length = sum(sum(map(abs, map(sub, [*one[2:], *one[:2]], one))) for one in polygons)
    if length > _LONGEST:
        raise UserError(
            f"its polygons' outline is {length:,.0f} pixels long, and no object's is more than "
            f"{_LONGEST:,}; draw it again."
        )
    return length


def are_coordinates(values: object) -> TypeGuard[list[float]]:
    """Whether `values` is a list of finite numbers that can be pixel coordinates."""
    return isinstance(values, list) and all(
        type(value) in (int, float) and abs(value) <= _FARTHEST for value in values
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
