"""Where an answer's points fall: on the object or the background, inside its own box or not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from samr1.core.errors import UserError
from samr1.data.masks import decode_mask
from samr1.evaluation.answers import answers_in_order, read_box
from samr1.evaluation.bootstrap import Floats
from samr1.evaluation.right import lies_on


def locate_points(samples: pa.Table, predictions: Sequence[pa.Table]) -> pd.DataFrame:
    """The points in all `predictions`, a table a seed.

    A row a point: its `value`, 1 positive and 0 negative; `x` and `y` on the answer's own box, 0 at
    its left and upper edge, 1 at its right and lower one; whether it is `in_box`, an edge counting
    as inside, as the training metrics have it; whether it is `on_object`, by the ground-truth mask.
    Tables are of `schemas.SAMPLES` and
    `schemas.PREDICTIONS`, boxes and points in pixels of the original. Answers without a box have no
    points. Raises UserError unless every sample is answered once by each table, with finite
    numbers.
    """
    asked, rows = samples.select(["sample_id", "mask"]).to_pylist(), []
    for table in predictions:
        given = answers_in_order(samples, table, ["box", "points"])
        for sample, answer in zip(asked, given, strict=True):
            sample_id = sample["sample_id"]
            if answer["box"] is None:
                continue
            x1, y1, x2, y2 = read_box(sample_id, "predicted", answer["box"])
            if x1 >= x2 or y1 >= y2:
                continue  # nothing lies on a box without area, which the parser takes for none
            truth = decode_mask(sample["mask"])
            for point in answer["points"] or []:
                x, y = _read_point(sample_id, point)
                place = (x - x1) / (x2 - x1), (y - y1) / (y2 - y1)
                inside = x1 <= x <= x2 and y1 <= y <= y2
                rows.append((point["value"], *place, inside, lies_on(x, y, truth)))
    return pd.DataFrame(rows, columns=["value", "x", "y", "in_box", "on_object"])


def share_places(points: pd.DataFrame) -> Floats:
    """Shares [3] of the points on the object, on background in the box, and outside of it.

    They add up to 1, or are 0 where there is no point. A point on the object counts as such even
    where the box misses it.
    """
    places = np.where(points["on_object"], 0, np.where(points["in_box"], 1, 2))
    return np.bincount(places, minlength=3) / max(len(places), 1)


def _read_point(sample_id: str, point: Mapping[str, Any]) -> tuple[float, float]:
    x, y = point["x"], point["y"]
    if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
        raise UserError(
            f"sample {sample_id!r}: the point {point} is not two finite numbers; leave it out."
        )
    return x, y
