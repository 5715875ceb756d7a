"""Which object an answer means, apart from how well its mask fits.

Where all objects of an image are annotated, an answer is of the right one if its mask has its
highest IoU with the object that the ground truth has its highest IoU with. By IoU, and not by
covered pixels: a table's mask covers the plate on it, and a plate's lies in the table's. Where
nobody annotated the others, it is right if the point that it shows lies in the target; a mask that
merely touches the only annotated object would say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from samr1.data.masks import Mask, mask_iou
from samr1.evaluation.answers import read_mask

Points = Sequence[tuple[float, float, int]]  # x, y in pixels of the original, and the value


def shown_point(points: Points, predicted: Mask) -> tuple[float, float] | None:
    """The point that an answer shows: its first of value 1, else its mask's innermost pixel.

    So boxes and masks without a point can be asked the same. None where there is neither.

    >>> shown_point([(5, 5, 0), (2, 3, 1)], np.ones((3, 5), bool)), shown_point([], np.ones((3, 3)))
    ((2, 3), (1.0, 1.0))
    """
    for x, y, value in points:
        if value == 1:
            return x, y
    if not predicted.any():
        return None
    depth = cv2.distanceTransform(np.pad(predicted.astype(np.uint8), 1), cv2.DIST_L2, 5)
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return float(column - 1), float(row - 1)


def is_right_point(truth: Mask, predicted: Mask, points: Points) -> bool | None:
    """Whether the point that an answer shows lies in the target; None where there is no target."""
    if not truth.any():
        return None
    point = shown_point(points, predicted)
    return point is not None and lies_on(*point, truth)


def lies_on(x: float, y: float, mask: Mask) -> bool:
    """Whether the pixel under (x, y) is set; nothing is beyond the image, whose last edge is in."""
    height, width = mask.shape
    inside = 0 <= x <= width and 0 <= y <= height
    return bool(inside and mask[min(int(y), height - 1), min(int(x), width - 1)])


def best_match(mask: Mask, objects: Sequence[Mask]) -> int | None:
    """The place of the object that `mask` has its highest IoU with; None where it meets none."""
    ious = [mask_iou(mask, one) for one in objects]
    return int(np.argmax(ious)) if ious and max(ious) > 0 else None


def is_right_object(truth: Mask, predicted: Mask, objects: Sequence[Mask]) -> bool | None:
    """Whether an answer's mask is of the right one of `objects`; None where the truth is of none.

    All are bool [h, w]; the target is among the objects.
    """
    target = best_match(truth, objects)
    return None if target is None else best_match(predicted, objects) == target


class ImageObjects:
    """The annotated objects of images, rows of `schemas.OBJECTS`; None as a table has none."""

    def __init__(self, objects: pa.Table | None) -> None:
        self._encoded: dict[str, list[Any]] = {}
        for row in [] if objects is None else objects.to_pylist():
            self._encoded.setdefault(row["image_id"], []).append(row["mask"])
        self._last: tuple[str, list[Mask]] = "", []

    def of(self, image_id: str, height: int, width: int) -> list[Mask]:
        """The masks of an image's objects, bool [height, width]; raises UserError if one is bad.

        The last image's are kept: its questions mostly follow one another.
        """
        if self._last[0] != image_id:
            encoded = self._encoded.get(image_id, [])
            name = f"image {image_id}"
            self._last = image_id, [read_mask(name, "object's", o, height, width) for o in encoded]
        return self._last[1]
