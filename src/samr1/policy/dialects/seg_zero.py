"""Seg-Zero: asked and read as its `evaluation_scripts/evaluation.py` at commit 77f9ea5 does.

The first `{…}` of the whole response, up to the first closing brace, must be JSON as it stands. In
it the first key with "bbox" must have four entries and there must be two keys with "points", of
which the first two count; all are converted by `int`, which reads numbers as texts and cuts
decimals. A response without a thought, or with `<` in it, has failed. On the way to SAM coordinates
are rounded, halves to even.

What comes after the reading is ours, in every dialect: a box is clipped to the image, and one that
is reversed or has no area there has failed. Seg-Zero gives both to SAM as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import AnswerObject, Box, Frame, Point, clip, make_object
from samr1.policy.parsing import MAX_CHARACTERS, Failure, RawObject
from samr1.policy.strict import is_box, is_point

_THOUGHT = re.compile(r"<think>[^<]++</think>")


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """One JSON object with the first two points, the first twice where there is one."""
    first, second = (write_numbers(point[:2]) for point in (points[0], points[-1]))
    return f'{{"bbox": [{write_numbers(box)}], "points_1": [{first}], "points_2": [{second}]}}'


def read(text: str) -> list[RawObject] | Failure:
    """What stands in the first braces."""
    if len(text) > MAX_CHARACTERS:
        return "too_long"
    # Their pattern `{[^}]+}` in two steps: in one it is quadratic on a run of opening braces.
    opening = re.search(r"\{[^}]", text)
    end = text.find("}", opening.end()) if opening else -1
    if not _THOUGHT.search(text) or opening is None or end < 0:
        return "no_answer"
    try:
        return [json.loads(text[opening.start() : end + 1])]
    except (ValueError, RecursionError):
        return "bad_json"


def read_object(found: RawObject, frame: Frame) -> AnswerObject:
    """The box and the two points; whatever stops their code is a failure."""
    key = next((key for key in found if "bbox" in key.lower()), None)
    if key is None:
        return AnswerObject(None, (), None, "missing_box")
    corners = _whole(found[key], 4)
    if corners is None or len(found[key]) != 4:
        return AnswerObject(None, (), None, "bad_numbers")
    keys = [key for key in found if "points" in key.lower()][:2]
    places = [place for key in keys if (place := _whole(found[key], 2))]
    if len(places) != 2:
        return AnswerObject(None, (), None, "missing_points")
    points = tuple((*clip(x, y, frame), 1) for x, y in places)
    return make_object(corners, points, None, frame)


def _whole(value: Any, count: int) -> list[float] | None:
    """The first `count` entries as whole numbers."""
    try:
        return [float(int(value[i])) for i in range(count)]
    except (TypeError, ValueError, LookupError, OverflowError):
        return None


DIALECT = Dialect(
    template=(
        "Please find '{query}' with bbox and points."
        "Compare the difference between objects and find the most closely matched one."
        "Output the thinking process in <think> </think> and final answer in <answer> </answer> "
        "tags."
        "Output the one bbox and points of two largest inscribed circles inside the interested "
        "object in JSON format."
        "i.e., <think> thinking process here </think>"
        "<answer>{{'bbox': [10,100,200,210], 'points_1': [30,110], 'points_2': [35,180]}}</answer>"
    ),
    write=write,
    shape={"bbox": is_box, "points_1": is_point, "points_2": is_point},
    strip=".",
    to_pixel=lambda value: float(round(value)),
    points=2,
    read=read,
    read_object=read_object,
)
