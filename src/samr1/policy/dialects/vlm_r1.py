"""VLM-R1: asked as its REC data puts the question, and read as its REC evaluation script does.

The last `[x1, y1, x2, y2]` that stands inside braces in the first `<answer>…</answer>`: whole
numbers, and no space but behind a comma.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import Box, Frame, Point
from samr1.policy.parsing import MAX_CHARACTERS, Failure, RawObject, whole_numbers
from samr1.policy.strict import is_box

_BOX = re.compile(r"\[(\d+),\s*(\d+),\s*(\d+),\s*(\d+)\]")


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """One JSON object."""
    return f'{{"bbox_2d": [{write_numbers(box)}]}}'


def read(text: str) -> list[RawObject] | Failure:
    """The last box between the answer's outer braces: their pattern is greedy."""
    if len(text) > MAX_CHARACTERS:
        return "too_long"
    start = text.find("<answer>")
    end = text.find("</answer>", start)
    if start < 0 or end < 0:
        return "no_answer"
    opening, closing = text.find("{", start, end), text.rfind("}", start, end)
    boxes = list(_BOX.finditer(text, opening, closing)) if 0 <= opening < closing else []
    return [{"bbox_2d": whole_numbers(boxes[-1])}] if boxes else "missing_box"


def is_whole_box(value: Any, frame: Frame) -> bool:
    """Whether it is a box of whole numbers; others are not read."""
    return is_box(value, frame) and all(type(corner) is int for corner in value)


DIALECT = Dialect(
    template=(
        "Please provide the bounding box coordinate of the region this sentence describes: "
        "{query}. First output the thinking process in <think> </think> tags and then output the "
        "final answer in <answer> </answer> tags. Output the final answer in JSON format."
    ),
    write=write,
    shape={"bbox_2d": is_whole_box},
    points=0,
    read=read,
)
