"""From a response's text to a box, points and a label: the tolerant reading.

This is what evaluation and the IoU reward see; whether a response keeps to the prescribed form is
judged separately, and strictly, by `samr1.rewards.formats`. Here text around the object, code
fences, missing `<answer>` tags, single quotes, other or additional keys and a missing point are all
let pass, and a box beyond the image is clipped.

`seg_zero` follows Seg-Zero's evaluation instead: a response without `<think>…</think>` has failed,
and the first `{…}` of the whole response is parsed as it is.

Every step is linear in the text and JSON is read from a bounded window, so that no text, however
long or nested, costs time or raises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from samr1.policy.prompt import Box, Dialect, Point

Status = Literal["ok", "no_answer", "bad_json", "missing_box", "bad_numbers", "empty_box"]

# An answer is one short object. What begins further in, or is longer, is not read.
MAX_ANSWER_CHARACTERS = 16_384
MAX_OBJECTS = 8  # how many opening braces are tried
MAX_POINTS = 16  # further points are left out: each is a prompt to the segmenter

_BOX_ONLY: tuple[Dialect, ...] = ("box_only", "qwen")


@dataclass(frozen=True)
class Answer:
    """What a response says, in the policy's frame; `box` is not None exactly when status is ok.

    Statuses:
        ok: a box with area was found.
        no_answer: nothing that could be an answer (and, for `seg_zero`, no thought).
        bad_json: something stands where the answer should, but it is not JSON.
        missing_box: JSON without a box.
        bad_numbers: the box is not four finite numbers (strings and booleans are none).
        empty_box: the box is reversed, or has no area inside the frame.
    """

    box: Box | None  # xyxy, clipped to the frame
    points: tuple[Point, ...]  # (x, y, value), clipped; value 1 on the object, 0 off it
    label: str | None
    think: str | None
    status: Status


def parse_answer(
    text: str, dialect: Dialect = "sam_r1", frame: tuple[int, int] = (840, 840)
) -> Answer:
    """The answer in a response; never raises, whatever the text.

    Args:
        text: the response as decoded, special tokens left out.
        dialect: the form the prompt asked for. `box_only` and `qwen` have no points;
            `vision_reasoner` answers with a list, of which the first object with a box is taken.
        frame: (width, height) in pixels of the image the policy saw; coordinates are in it.

    A point that is malformed or whose value is neither 0 nor 1 is left out. Texts are made valid
    Unicode (lone surrogates become "?").

    >>> parse_answer('<think>left</think><answer>{"bbox_2d": [1, 2, 30, 900]}</answer>').box
    (1.0, 2.0, 30.0, 840.0)
    >>> parse_answer("I cannot see it.").status
    'no_answer'
    """
    think = find_think(text)
    if dialect == "seg_zero":
        found = _read_seg_zero(text) if think else "no_answer"
    else:
        found = _read_tolerantly(text)
    if isinstance(found, str):
        return Answer(None, (), None, think, found)
    label = _clean(found.get("label"))
    points = () if dialect in _BOX_ONLY else _find_points(found, frame)
    box = _find_box(found, frame)
    if isinstance(box, str):
        return Answer(None, points, label, think, box)
    return Answer(box, points, label, think, "ok")


def to_original(answer: Answer, frame: tuple[int, int], size: tuple[int, int]) -> Answer:
    """The answer with box and points scaled from the policy's frame to the original image.

    `frame` and `size` are (width, height) in pixels; coordinates are not rounded. Where answers are
    relative, on 0–1000 of either side, the frame is (1000, 1000), for `parse_answer` as well.

    >>> small = Answer((0.0, 42.0, 84.0, 84.0), ((42.0, 42.0, 1),), None, None, "ok")
    >>> to_original(small, (84, 84), (640, 480)).box
    (0.0, 240.0, 640.0, 480.0)
    >>> to_original(Answer((0.0, 500.0, 250.0, 1000.0), (), None, None, "ok"),
    ...             (1000, 1000), (640, 480)).box
    (0.0, 240.0, 160.0, 480.0)
    """
    x_scale, y_scale = size[0] / frame[0], size[1] / frame[1]
    box = answer.box
    if box is not None:
        box = (box[0] * x_scale, box[1] * y_scale, box[2] * x_scale, box[3] * y_scale)
    points = tuple((x * x_scale, y * y_scale, value) for x, y, value in answer.points)
    return Answer(box, points, answer.label, answer.think, answer.status)


def find_think(text: str) -> str | None:
    """The thought between the first `<think>` and the next `</think>`; None if absent or blank."""
    start = text.find("<think>")
    end = text.find("</think>", start + 7)
    return _clean(text[start + 7 : end]) if start >= 0 and end >= 0 else None


def finite_number(value: Any) -> float | None:
    """A JSON number as a float; None for anything else, booleans and what overflows included.

    >>> finite_number(3), finite_number(True), finite_number("3"), finite_number(10**400)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def finite_numbers(value: Any, count: int) -> list[float] | None:
    """A list of exactly `count` finite numbers; None for anything else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    numbers = [number for item in value if (number := finite_number(item)) is not None]
    return numbers if len(numbers) == count else None


def _read_seg_zero(text: str) -> dict[str, Any] | Status:
    """The first `{[^}]+}` of the response, as Seg-Zero's evaluation takes it."""
    # Found in two steps, because the pattern itself is quadratic on a run of opening braces.
    opening = re.search(r"\{[^}]", text)
    end = text.find("}", opening.end()) if opening else -1
    if opening is None or end < 0:
        return "no_answer"
    value = _decode(text[opening.start() : end + 1][:MAX_ANSWER_CHARACTERS])
    return value if isinstance(value, dict) else "bad_json"


def _read_tolerantly(text: str) -> dict[str, Any] | Status:
    """The first object with a box in the answer; failing that, the first object or why not."""
    tag = text.rfind("<answer>")
    start = tag + len("<answer>") if tag >= 0 else max(text.rfind("</think>"), 0)
    end = text.find("</answer>", start)
    window = text[start : len(text) if end < 0 else end][:MAX_ANSWER_CHARACTERS]
    first: dict[str, Any] | None = None
    for value in _values(window):
        if isinstance(value, dict):
            if _box_of(value) is not None:
                return value
            first = value if first is None else first
        elif finite_numbers(value, 4):  # a bare [x1, y1, x2, y2]
            return {"bbox_2d": value}
    if first is not None:
        return first
    return "bad_json" if tag >= 0 or "{" in window else "no_answer"


def _values(window: str) -> Iterator[Any]:
    """What can be read as JSON from the first opening braces (brackets where there is no brace)."""
    opening = "{" if "{" in window else "["
    start = -1
    for _ in range(MAX_OBJECTS):
        start = window.find(opening, start + 1)
        if start < 0:
            return
        piece = window[start:]
        value = _decode(piece)
        if value is None and '"' not in piece:
            value = _decode(piece.replace("'", '"'))
        if value is not None:
            yield value


def _decode(text: str) -> Any:
    """The JSON value that `text` begins with; None where there is none, or it nests too deeply."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _box_of(found: dict[str, Any]) -> Any:
    for key, value in found.items():
        if "bbox" in key.lower() or key.lower() == "box":
            return value
    return None


def _find_box(found: dict[str, Any], frame: tuple[int, int]) -> Box | Status:
    value = _box_of(found)
    if value is None:
        return "missing_box"
    corners = finite_numbers(value, 4)
    if corners is None:
        return "bad_numbers"
    (x1, y1), (x2, y2) = _clip(corners[0], corners[1], frame), _clip(corners[2], corners[3], frame)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else "empty_box"


def _clip(x: float, y: float, frame: tuple[int, int]) -> tuple[float, float]:
    return min(max(x, 0.0), float(frame[0])), min(max(y, 0.0), float(frame[1]))


def _find_points(found: dict[str, Any], frame: tuple[int, int]) -> tuple[Point, ...]:
    """The points under every key that contains "point", in order, clipped to the frame."""
    points: list[Point] = []
    for key, value in found.items():
        if "point" not in key.lower() or not isinstance(value, list):
            continue
        listed = [value] if finite_numbers(value, 2) else value
        for item in listed[:MAX_POINTS]:
            point = _point(item, frame)
            if point is not None:
                points.append(point)
    return tuple(points[:MAX_POINTS])


def _point(item: Any, frame: tuple[int, int]) -> Point | None:
    value: Any = 1
    if isinstance(item, dict):
        value = finite_number(item.get("value", 1))
        item = next((v for k, v in item.items() if "point" in k.lower()), None)
    numbers = finite_numbers(item, 2)
    if numbers is None or value not in (0, 1):
        return None
    x, y = _clip(numbers[0], numbers[1], frame)
    return x, y, int(value)


def _clean(value: Any) -> str | None:
    """A stripped text that can be written as UTF-8; None where it is no text or blank."""
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode("utf-8").strip() or None
