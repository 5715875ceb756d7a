"""The shapes of ReasonSeg's annotations: polygons drawn as LISA does, labelme's others as it does.

Coordinates are pixels of the original image. LISA's own files hold polygons alone; other people's
come out of labelme with rectangles, circles and masks too.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from samr1.core.errors import UserError
from samr1.data.images import load_mask
from samr1.data.masks import MOST_DRAWN, Mask, are_coordinates, measure_outlines

_DEAR = 10  # a pixel of an outline or a mask takes at least as long as so many that are filled
_LEAST = 20_000  # pixels that are filled while the smallest shape is drawn

SIZE_KEYS = "imageWidth", "imageHeight"  # of labelme's files, as ReasonSeg's are
Shape = Mapping[str, Any]
Points = npt.NDArray[np.float64]  # [n, 2]
Canvas = npt.NDArray[np.uint8]  # [h, w]


def rasterise_shapes(shapes: Sequence[Shape], height: int, width: int) -> tuple[Mask, Mask]:
    """Draw ReasonSeg shapes as LISA does; returns (target, ignore), both bool [h, w].

    Shapes labelled "flag" are left out, whatever their points: real ones have fewer than three. The
    others are drawn by area, the largest first, so that a later one overwrites: of a polygon a
    closed outline of thickness 1, then its inside, with points truncated to integers. A label that
    contains "ignore" marks ignored pixels, any other the target. Of two equal areas the later shape
    is drawn first (LISA reverses an ascending sort). Raises UserError where a shape has no points,
    a point is not a pair of numbers, all lie between 0 and 1, a shape has no area by its kind, all
    together are too large, or the target's shapes leave no pixel of it.
    """
    kept = [(shape, shape_points(shape)) for shape in shapes if _label(shape) != "flag"]
    if kept and all(((points >= 0) & (points <= 1)).all() for _, points in kept):
        raise UserError("its points all lie between 0 and 1; give them in pixels of the image.")
    if sum(_effort(*one) for one in kept) > MOST_DRAWN:
        raise UserError(f"its {len(kept)} shapes are too large together; leave some out.")
    canvas, areas = np.zeros((height, width), np.uint8), []
    for shape, points in kept:
        _draw(shape, points, canvas, 1)
        around = canvas[_around(shape, points)]
        areas.append(np.count_nonzero(around))
        around[:] = 0
    values = [255 if "ignore" in _label(shape) else 1 for shape, _ in kept]
    for index in np.argsort(areas, kind="stable")[::-1]:
        shape, points = kept[index]
        _draw(shape, points, canvas, values[index])
    target = canvas == 1
    if 1 in values and not target.any():
        raise UserError(
            f"its shapes leave no pixel of the target in the image's {width}×{height}; correct "
            "their points or the image."
        )
    return target, canvas == 255


def first_shape_box(shapes: Sequence[Shape]) -> list[float]:
    """The extent of the first shape's points, whatever its label, as xyxy; zeros without a shape.

    So Visual-RFT makes LISA-Grounding's boxes. Of a circle the points are its centre and its edge.
    """
    if not shapes:
        return [0.0, 0.0, 0.0, 0.0]
    return [float(value) for value in _reach(shapes[0], shape_points(shapes[0])).flat]


def shape_points(shape: Shape) -> Points:
    """The points [n, 2] of a ReasonSeg shape, pixels of the original; raises UserError if bad."""
    points = shape.get("points")
    good = isinstance(points, list) and points and isinstance(shape.get("label"), str)
    if not good or not all(are_coordinates(point) and len(point) == 2 for point in points):  # type: ignore[union-attr]
        raise UserError("a shape has no label, no points, or a point that is not two numbers.")
    return np.array(points, np.float64)


def _label(shape: Shape) -> str:
    return str(shape.get("label")).lower()


def _reach(shape: Shape, points: Points) -> Points:
    """The least and the greatest x and y of a shape, [2, 2]."""
    if shape.get("shape_type") == "circle":
        centre, radius = _circle(points)
        return np.array([centre - radius, centre + radius])
    return np.array([points.min(axis=0), points.max(axis=0)])


def _effort(shape: Shape, points: Points) -> float:
    """How many pixels are filled while the shape is drawn; raises UserError by its outline."""
    low, high = _reach(shape, points)
    size = math.prod(high - low)
    if shape.get("shape_type") == "mask":
        return max(_DEAR * size, _LEAST)
    return max(size + _DEAR * measure_outlines([points.reshape(-1).tolist()]), _LEAST)


def _around(shape: Shape, points: Points) -> tuple[slice, slice]:
    """The part of an image, rows and columns, beyond which nothing of the shape is drawn."""
    low, high = _reach(shape, points)
    left, top = np.maximum(low.astype(int) - 2, 0)
    right, bottom = np.maximum(high.astype(int) + 3, 0)
    return slice(top, bottom), slice(left, right)


def _draw(shape: Shape, points: Points, canvas: Canvas, value: int) -> None:
    """Draw a shape by its kind; raises UserError where it has no area or is no shape."""
    kind = shape.get("shape_type") or "polygon"
    if kind in ("polygon", "oriented_rectangle"):
        return _draw_polygon(points, canvas, value)
    if kind not in ("rectangle", "circle", "mask"):
        raise UserError(
            f"a shape is a {str(kind)[:40]!r}, which has no area; draw it as a polygon, rectangle, "
            "circle or mask."
        )
    if len(points) != 2:
        raise UserError(f"a {kind} has {len(points)} points and not two; draw it again.")
    if kind == "mask":
        _draw_mask(shape, points, canvas, value)
    elif kind == "circle":
        centre, radius = _circle(points)
        middle = centre.astype(np.int32).tolist()
        cv2.circle(canvas, middle, round(radius), value, cv2.FILLED)
    else:
        (left, top), (right, bottom) = points
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        _draw_polygon(corners, canvas, value)


def _draw_polygon(points: Points, canvas: Canvas, value: int) -> None:
    corners = points.astype(np.int32)[None]  # [1, n, 2]
    cv2.polylines(canvas, corners, True, value, 1)  # type: ignore[call-overload]
    cv2.fillPoly(canvas, corners, value)  # type: ignore[call-overload]


def _circle(points: Points) -> tuple[npt.NDArray[np.float64], float]:
    """Centre and radius of labelme's circle: its points are the centre and one on the edge."""
    if len(points) != 2:
        raise UserError(f"a circle has {len(points)} points and not two; draw it again.")
    return points[0], math.dist(points[0], points[1])


def _draw_mask(shape: Shape, points: Points, canvas: Canvas, value: int) -> None:
    """labelme's mask: a PNG in base64 of the rectangle between its points, both of them in it."""
    left, top, right, bottom = points.astype(np.int64).reshape(-1).tolist()
    try:
        data = base64.b64decode(shape.get("mask") or "", validate=True)
    except (ValueError, TypeError) as error:
        raise UserError("a shape's mask is not a PNG in base64; draw it again.") from error
    if right < left or bottom < top:
        raise UserError("a mask's points are not its upper left and lower right; draw it again.")
    drawn = load_mask(data, "a shape's mask", right - left + 1, bottom - top + 1)
    inside = drawn[max(-top, 0) :, max(-left, 0) :]
    part = canvas[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
    part[inside[: part.shape[0], : part.shape[1]]] = value
