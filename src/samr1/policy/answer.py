"""From a response's text to boxes, points and a label: what evaluation and the IoU reward see.

Whether a response keeps to the prescribed form is judged separately, and strictly, by
`samr1.method.rewards.formats`. Here the form may be off as far as `samr1.policy.grammar` lets it
be, a point may be missing, and a box beyond the image is clipped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from samr1.config.names import Dialect
from samr1.policy.grammar import (
    box_of,
    clean,
    find_think,
    finite_number,
    finite_numbers,
    read_objects,
)
from samr1.policy.prompt import BOX_ALONE, FORMS, LISTS, Box, Frame, Point

Status = Literal["ok", "no_answer", "bad_json", "missing_box", "bad_numbers", "empty_box"]

MAX_POINTS = 16  # of an object; further ones are left out: each is a prompt to the segmenter


@dataclass(frozen=True)
class Answer:
    """What a response says, in its dialect's frame; `box` is not None exactly when status is ok.

    Statuses:
        ok: a box with area was found.
        no_answer: nothing that could be an answer (and, for `seg_zero`, no thought).
        bad_json: something stands where the answer should, but it is not JSON.
        missing_box: JSON without a box (in `visual_rft` and `vlm_r1`, an answer without one).
        bad_numbers: the box is not four finite numbers (strings and booleans are none).
        empty_box: the box is reversed, or has no area inside the frame.
    """

    box: Box | None  # xyxy, clipped to the frame
    points: tuple[Point, ...]  # (x, y, value), clipped; value 1 on the object, 0 off it
    label: str | None
    think: str | None
    status: Status
    others: tuple[tuple[Box, tuple[Point, ...]], ...] = ()
    """Further objects that the answer lists, each with its points; the mask is of all of them."""


def parse_answer(text: str, dialect: Dialect = "sam_r1", frame: Frame = (840, 840)) -> Answer:
    """The answer in a response; never raises, whatever the text.

    Args:
        text: the response as decoded, special tokens left out.
        dialect: the form the prompt asked for. `visual_rft`, `vlm_r1` and `qwen` have no points;
            `vision_reasoner` and `qwen` answer with a list of objects, all of which are taken.
        frame: (width, height) that its coordinates are relative to, as `prompt.answer_frame` says.

    A point that is malformed or whose value is neither 0 nor 1 is left out. Texts are made valid
    Unicode (lone surrogates become "?").

    >>> parse_answer('<think>left</think><answer>{"bbox_2d": [1, 2, 30, 900]}</answer>').box
    (1.0, 2.0, 30.0, 840.0)
    >>> parse_answer("(100,200),(300,400)", "visual_rft", (1000, 1000)).box
    (100.0, 200.0, 300.0, 400.0)
    >>> parse_answer("I cannot see it.").status
    'no_answer'
    """
    think = find_think(text)
    found = read_objects(text, dialect)
    if isinstance(found, str):
        return Answer(None, (), None, think, found)
    objects = found if dialect in LISTS else found[:1]
    read = [_read_object(one, dialect, frame) for one in objects]
    whole = [one for one in read if one.box is not None]
    if not whole:
        return replace(read[0], think=think)
    others = tuple((one.box, one.points) for one in whole[1:] if one.box is not None)
    return replace(whole[0], think=think, others=others)


def to_original(
    answer: Answer, frame: Frame, size: tuple[int, int], dialect: Dialect = "sam_r1"
) -> Answer:
    """The answer with boxes and points scaled from its frame to the original image.

    `frame` and `size` are (width, height); where answers are relative, on 0–1000 of either side,
    the frame is (1000, 1000), for `parse_answer` as well. Coordinates are not rounded, except in
    dialects of whole pixels (`prompt.Form`): there to the nearest, halves up.

    >>> small = Answer((0.0, 42.0, 84.0, 84.0), ((42.0, 42.0, 1),), None, None, "ok")
    >>> to_original(small, (84, 84), (640, 480)).box
    (0.0, 240.0, 640.0, 480.0)
    >>> to_original(Answer((0.0, 500.0, 250.0, 1000.0), (), None, None, "ok"),
    ...             (1000, 1000), (640, 480)).box
    (0.0, 240.0, 160.0, 480.0)
    """

    def scale(value: float, axis: int) -> float:
        scaled = value * (size[axis] / frame[axis])
        return float(math.floor(scaled + 0.5)) if FORMS[dialect].whole_pixels else scaled

    def scale_box(box: Box) -> Box:
        return scale(box[0], 0), scale(box[1], 1), scale(box[2], 0), scale(box[3], 1)

    def scale_points(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple((scale(x, 0), scale(y, 1), value) for x, y, value in points)

    return replace(
        answer,
        box=None if answer.box is None else scale_box(answer.box),
        points=scale_points(answer.points),
        others=tuple((scale_box(box), scale_points(points)) for box, points in answer.others),
    )


def _read_object(found: dict[str, Any], dialect: Dialect, frame: Frame) -> Answer:
    """One object of an answer, as an answer without a thought."""
    label = clean(found.get("label"))
    points = () if dialect in BOX_ALONE else _find_points(found, frame)
    box = _find_box(found, frame)
    if isinstance(box, str):
        return Answer(None, points, label, None, box)
    return Answer(box, points, label, None, "ok")


def _find_box(found: dict[str, Any], frame: Frame) -> Box | Status:
    value = box_of(found)
    if value is None:
        return "missing_box"
    corners = finite_numbers(value, 4)
    if corners is None:
        return "bad_numbers"
    (x1, y1), (x2, y2) = _clip(corners[0], corners[1], frame), _clip(corners[2], corners[3], frame)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else "empty_box"


def _clip(x: float, y: float, frame: Frame) -> tuple[float, float]:
    return min(max(x, 0.0), float(frame[0])), min(max(y, 0.0), float(frame[1]))


def _find_points(found: dict[str, Any], frame: Frame) -> tuple[Point, ...]:
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


def _point(item: Any, frame: Frame) -> Point | None:
    value: Any = 1
    if isinstance(item, dict):
        value = finite_number(item.get("value", 1))
        item = next((v for k, v in item.items() if "point" in k.lower()), None)
    numbers = finite_numbers(item, 2)
    if numbers is None or value not in (0, 1):
        return None
    x, y = _clip(numbers[0], numbers[1], frame)
    return x, y, int(value)
