"""Format rewards (section 3.3), +1 or −1: the strict reading of a response.

`reasoning_format_reward` looks at the tags, `segmentation_format_reward` at what the answer tags
hold. Neither looks at the other's business, and neither raises, whatever the text: time is linear
in its length, and an answer longer than `MAX_ANSWER_CHARACTERS` fails unread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from samr1.config.names import Dialect
from samr1.policy.answer import MAX_POINTS
from samr1.policy.grammar import MAX_ANSWER_CHARACTERS, finite_numbers
from samr1.policy.prompt import LISTS, Frame

REWARD = 1.0
PENALTY = -1.0

Shape = dict[str, Callable[[Any, Frame], bool]]

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_CORNERS = re.compile(r"\((\d{1,9}), ?(\d{1,9})\), ?\((\d{1,9}), ?(\d{1,9})\)")


def reasoning_format_reward(text: str) -> float:
    """+1 if the whole response is `<think>…</think><answer>…</answer>`, else −1.

    Each tag occurs once, only white space stands between the two parts and nothing around them,
    and the thought is not blank.

    >>> reasoning_format_reward("<think>left</think> <answer>{}</answer>")
    1.0
    >>> reasoning_format_reward("<think></think><answer>{}</answer>")
    -1.0
    """
    if any(text.count(tag) != 1 for tag in _TAGS):
        return PENALTY
    if not (text.startswith("<think>") and text.endswith("</answer>")):
        return PENALTY
    close, opening = text.find("</think>"), text.find("<answer>")
    thought = text[len("<think>") : close]
    between = text[close + len("</think>") : opening]
    fits = close < opening and thought.strip() and not between.strip()
    return REWARD if fits else PENALTY


def segmentation_format_reward(text: str, dialect: Dialect, frame: Frame = (840, 840)) -> float:
    """+1 if the answer holds exactly the box, point and label that the dialect prescribes, else −1.

    The answer is what stands between the only `<answer>` and the only `</answer>` (for `qwen`, the
    whole response, a ```json block) and nothing but JSON, or `(x1,y1),(x2,y2)` for `visual_rft`.
    Keys are exactly the dialect's; numbers are finite and no strings or booleans; the box has area
    and lies in the frame, as do the points (0 ≤ x ≤ width, 0 ≤ y ≤ height); the label is not blank.
    `frame` is the (width, height) that coordinates are relative to.

    >>> answer = '{"bbox_2d": [10, 20, 30, 40], "point_2d": [20, 30], "label": "cup"}'
    >>> segmentation_format_reward(f"<think>left</think><answer>{answer}</answer>", "sam_r1")
    1.0
    >>> segmentation_format_reward("<think>left</think><answer>[1, 2]</answer>", "sam_r1")
    -1.0
    """
    written = _fenced_answer(text) if dialect == "qwen" else _tagged_answer(text)
    if written is None or len(written) > MAX_ANSWER_CHARACTERS:
        return PENALTY
    try:
        value = _read_corners(written) if dialect == "visual_rft" else _read_json(written)
    except (ValueError, RecursionError):
        return PENALTY
    return REWARD if _conforms(value, dialect, frame) else PENALTY


def _tagged_answer(text: str) -> str | None:
    if text.count("<answer>") != 1 or text.count("</answer>") != 1:
        return None
    start, end = text.find("<answer>") + len("<answer>"), text.find("</answer>")
    return text[start:end] if start <= end else None


def _fenced_answer(text: str) -> str | None:
    opening, closing = "```json", "```"
    fits = text.startswith(opening) and text[len(opening) :].endswith(closing)
    return text[len(opening) : -len(closing)] if fits else None


def _read_json(written: str) -> Any:
    return json.loads(written, object_pairs_hook=_without_duplicates)


def _read_corners(written: str) -> Any:
    """`(x1,y1),(x2,y2)` as the object that it stands for."""
    corners = _CORNERS.fullmatch(written.strip())
    return corners and {"bbox_2d": [int(number) for number in corners.groups()]}


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _conforms(value: Any, dialect: Dialect, frame: Frame) -> bool:
    """Whether decoded JSON is the dialect's answer, key by key."""
    objects = value if dialect in LISTS else [value]
    if not isinstance(objects, list) or not objects:
        return False
    return all(_has_exactly(item, _SHAPES[dialect], frame) for item in objects)


def _has_exactly(value: Any, shape: Shape, frame: Frame) -> bool:
    if not isinstance(value, dict) or value.keys() != shape.keys():
        return False
    return all(fits(value[key], frame) for key, fits in shape.items())


def _is_box(value: Any, frame: Frame) -> bool:
    corners = finite_numbers(value, 4)
    if corners is None:
        return False
    x1, y1, x2, y2 = corners
    return 0 <= x1 < x2 <= frame[0] and 0 <= y1 < y2 <= frame[1]


def _is_whole_box(value: Any, frame: Frame) -> bool:
    # Its reading takes whole numbers only.
    return _is_box(value, frame) and all(type(corner) is int for corner in value)


def _is_point(value: Any, frame: Frame) -> bool:
    place = finite_numbers(value, 2)
    return place is not None and 0 <= place[0] <= frame[0] and 0 <= place[1] <= frame[1]


def _is_points(value: Any, frame: Frame) -> bool:
    shape: Shape = {"point_2d": _is_point, "value": _is_value}
    count = len(value) if isinstance(value, list) else 0
    return 0 < count <= MAX_POINTS and all(_has_exactly(item, shape, frame) for item in value)


def _is_value(value: Any, _: Frame) -> bool:
    return not isinstance(value, bool) and value in (0, 1)


def _is_label(value: Any, _: Frame) -> bool:
    return isinstance(value, str) and bool(value.strip())


_SHAPES: dict[Dialect, Shape] = {
    "sam_r1": {"bbox_2d": _is_box, "point_2d": _is_point, "label": _is_label},
    "sam_r1_points": {"bbox_2d": _is_box, "points": _is_points, "label": _is_label},
    "seg_zero": {"bbox": _is_box, "points_1": _is_point, "points_2": _is_point},
    "vision_reasoner": {"bbox_2d": _is_box, "point_2d": _is_point},
    "visual_rft": {"bbox_2d": _is_box},
    "vlm_r1": {"bbox_2d": _is_whole_box},
    "qwen": {"bbox_2d": _is_box, "label": _is_label},
}
