"""The strict form of an answer, which the format reward is for: exactly what the prompt asks.

A text is decoded as it stands, and each object has exactly the keys of its dialect's `Shape`, whose
values fit the frame. Whether what is read here is what evaluation reads, `parse_answer` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samr1.core.reading import parse_json
from samr1.policy.objects import MAX_POINTS, Frame
from samr1.policy.parsing import finite_numbers

Shape = Mapping[str, Callable[[Any, Frame], bool]]


def tagged_text(text: str) -> str | None:
    """What stands between the only `<answer>` and the only `</answer>`."""
    if text.count("<answer>") != 1 or text.count("</answer>") != 1:
        return None
    start, end = text.find("<answer>") + len("<answer>"), text.find("</answer>")
    return text[start:end] if start <= end else None


def tagged_json(text: str) -> Any:
    """The JSON value that is all that the answer's tags hold; None where it is not."""
    return _decode(tagged_text(text))


def fenced_json(text: str) -> Any:
    """The JSON value that is all of a response in ```json fences; None where it is not."""
    opening, closing = "```json", "```"
    fits = text.startswith(opening) and text[len(opening) :].endswith(closing)
    return _decode(text[len(opening) : -len(closing)] if fits else None)


def _decode(text: str | None) -> Any:
    try:
        return None if text is None else parse_json(text)
    except (ValueError, RecursionError):
        return None


def has_exactly(value: Any, shape: Shape, frame: Frame) -> bool:
    """Whether a decoded value is an object with the keys of `shape`, each of which fits."""
    if not isinstance(value, dict) or value.keys() != shape.keys():
        return False
    return all(fits(value[key], frame) for key, fits in shape.items())


def is_box(value: Any, frame: Frame) -> bool:
    """Whether it is a box with area inside the frame."""
    corners = finite_numbers(value, 4)
    if corners is None:
        return False
    x1, y1, x2, y2 = corners
    return 0 <= x1 < x2 <= frame[0] and 0 <= y1 < y2 <= frame[1]


def is_point(value: Any, frame: Frame) -> bool:
    """Whether it is a point inside the frame, its edges included."""
    place = finite_numbers(value, 2)
    return place is not None and 0 <= place[0] <= frame[0] and 0 <= place[1] <= frame[1]


def is_points(value: Any, frame: Frame) -> bool:
    """Whether it is a list of points with values, neither empty nor too long."""
    shape: Shape = {"point_2d": is_point, "value": _is_value}
    count = len(value) if isinstance(value, list) else 0
    return 0 < count <= MAX_POINTS and all(has_exactly(item, shape, frame) for item in value)


def _is_value(value: Any, _: Frame) -> bool:
    return not isinstance(value, bool) and value in (0, 1)


def is_label(value: Any, _: Frame) -> bool:
    """Whether it is a text that is not blank."""
    return isinstance(value, str) and bool(value.strip())
