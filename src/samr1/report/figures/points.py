"""Where an answer's points fall: on the object or the background, inside its own box or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from samr1.core.errors import UserError
from samr1.data.masks import decode_mask
from samr1.evaluation.answers import answers_in_order, read_box

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Points:
    """N points of one value, of answers with a box.

    `position` [N, 2] is x and y on the answer's own box: 0 at its left and upper edge, 1 at its
    right and lower one. `in_box` [N] counts an edge as inside, as the training metrics do;
    `on_object` [N] is by the ground-truth mask.
    """

    position: Floats
    in_box: Flags
    on_object: Flags

    def shares(self) -> tuple[float, float, float]:
        """Shares of the points on the object, on background in the box, on background outside it.

        They add up to 1; NaN where there is no point. A point on the object counts as such even
        where the box misses it.
        """
        if not len(self.position):
            return (np.nan, np.nan, np.nan)
        background = ~self.on_object
        parts = (self.on_object, background & self.in_box, background & ~self.in_box)
        return (float(parts[0].mean()), float(parts[1].mean()), float(parts[2].mean()))


def locate_points(samples: pa.Table, predictions: Sequence[pa.Table], value: int) -> Points:
    """The points of `value` (1 positive, 0 negative) in all `predictions` on `samples`.

    Tables are of `schemas.SAMPLES` and `schemas.PREDICTIONS`, a table a seed; boxes and points are
    in pixels of the original. Answers without a box have no points. Raises UserError unless every
    sample is answered once by each table, with finite numbers.
    """
    positions: list[tuple[float, float]] = []
    in_box: list[bool] = []
    on_object: list[bool] = []
    answers = [
        (answers_in_order(samples, table, "box"), answers_in_order(samples, table, "points"))
        for table in predictions
    ]
    for i, sample in enumerate(samples.select(["sample_id", "mask"]).to_pylist()):
        truth = decode_mask(sample["mask"])
        for boxes, points in answers:
            if boxes[i] is None:
                continue
            x1, y1, x2, y2 = read_box(sample["sample_id"], "predicted", boxes[i])
            if x1 >= x2 or y1 >= y2:
                continue  # nothing lies on a box without area, which the parser takes for none
            for point in points[i] or []:
                if point["value"] != value:
                    continue
                x, y = _read_point(sample["sample_id"], point)
                positions.append(((x - x1) / (x2 - x1), (y - y1) / (y2 - y1)))
                in_box.append(x1 <= x <= x2 and y1 <= y <= y2)
                on_object.append(_is_on(truth, x, y))
    return Points(
        np.array(positions, dtype=np.float64).reshape(-1, 2),
        np.array(in_box, dtype=bool),
        np.array(on_object, dtype=bool),
    )


def _read_point(sample_id: str, point: Mapping[str, Any]) -> tuple[float, float]:
    x, y = point["x"], point["y"]
    if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
        raise UserError(
            f"sample {sample_id!r}: the point {point} is not two finite numbers; leave it out."
        )
    return x, y


def _is_on(mask: Flags, x: float, y: float) -> bool:
    """Whether the pixel under (x, y) is set; nothing is beyond the image, whose last edge is in."""
    height, width = mask.shape
    if not (0 <= x <= width and 0 <= y <= height):
        return False
    return bool(mask[min(int(y), height - 1), min(int(x), width - 1)])
