"""One object of an answer: its box, its points and its label, in the frame of the dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from samr1.policy.parsing import (
    RawObject,
    Status,
    box_failure,
    box_key,
    clean,
    finite_number,
    finite_numbers,
)

Box = tuple[float, float, float, float]  # xyxy
Point = tuple[float, float, int]  # x, y, value (1 on the object, 0 off it)
Frame = tuple[int, int]  # width, height that coordinates are relative to

MAX_POINTS = 16  # of an object: each is a prompt to the segmenter; further ones are counted


class AnswerObject(NamedTuple):
    """What an answer says of one object; `box` is not None exactly when `status` is ok."""

    box: Box | None  # clipped to the frame
    points: tuple[Point, ...]  # clipped
    label: str | None
    status: Status
    left_out: int = 0  # its points beyond MAX_POINTS


def read_object(found: RawObject, frame: Frame) -> AnswerObject:
    """The object as it is meant; points that are malformed, or neither 0 nor 1, are left out."""
    told, label = find_points(found, frame), clean(found.get("label"))
    points, left_out = told[:MAX_POINTS], max(0, len(told) - MAX_POINTS)
    key, failure = box_key(found), box_failure(found)
    if key is None or failure is not None:
        return AnswerObject(None, points, label, failure or "missing_box", left_out)
    corners = finite_numbers(found[key], 4) or []
    return make_object(corners, points, label, frame)._replace(left_out=left_out)


def make_object(
    corners: list[float], points: tuple[Point, ...], label: str | None, frame: Frame
) -> AnswerObject:
    """The object of a box of four finite numbers, which is clipped and must then have area."""
    left, top, right, bottom = corners
    (x1, y1), (x2, y2) = clip(left, top, frame), clip(right, bottom, frame)
    if x1 < x2 and y1 < y2:
        return AnswerObject((x1, y1, x2, y2), points, label, "ok")
    return AnswerObject(None, points, label, "empty_box")


def clip(x: float, y: float, frame: Frame) -> tuple[float, float]:
    """The place inside the frame that is nearest to (x, y)."""
    return min(max(x, 0.0), float(frame[0])), min(max(y, 0.0), float(frame[1]))


def find_points(found: RawObject, frame: Frame) -> tuple[Point, ...]:
    """All points under every key that contains "point", in order, clipped to the frame."""
    points: list[Point] = []
    for key, value in found.items():
        if "point" not in key.lower() or not isinstance(value, list):
            continue
        listed = [value] if finite_numbers(value, 2) else value
        points += [point for item in listed if (point := _point(item, frame))]
    return tuple(points)


def _point(item: Any, frame: Frame) -> Point | None:
    value: Any = 1
    if isinstance(item, Mapping):
        value = finite_number(item.get("value", 1))
        item = next((v for k, v in item.items() if "point" in k.lower()), None)
    numbers = finite_numbers(item, 2)
    if numbers is None or value not in (0, 1):
        return None
    return *clip(numbers[0], numbers[1], frame), int(value)
