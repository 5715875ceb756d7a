"""VisionReasoner: asked as its evaluation script asks, and read more kindly than by it.

What its code reads is read alike: the first `<answer>`, a list of objects with a box and a point,
rounded to whole pixels of the original, halves up. Where that code gives up, the answer may be
wrong in form as far as ours may be, and an object may lack its point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import Box, Point
from samr1.policy.parsing import Failure, RawObject, find_answer, read_answer
from samr1.policy.strict import is_box, is_point


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """A list of one object with the first point."""
    place = write_numbers(points[0][:2])
    return f'[{{"bbox_2d": [{write_numbers(box)}], "point_2d": [{place}]}}]'


def read(text: str) -> list[RawObject] | Failure:
    """The objects of the first answer."""
    return read_answer(find_answer(text, first=True), several=True)


DIALECT = Dialect(
    template=(
        'Please find "{query}" with bboxs and points.'
        "Compare the difference between object(s) and find the most closely matched object(s)."
        "Output the thinking process in <think> </think> and final answer in <answer> </answer> "
        "tags."
        "Output the bbox(es) and point(s) inside the interested object(s) in JSON format."
        "i.e., <think> thinking process here </think>"
        '<answer>[{{"bbox_2d": [10,100,200,210], "point_2d": [30,110]}}, '
        '{{"bbox_2d": [225,296,706,786], "point_2d": [302,410]}}]</answer>'
    ),
    write=write,
    shape={"bbox_2d": is_box, "point_2d": is_point},
    strip='."?!',
    to_pixel=lambda value: float(math.floor(value + 0.5)),
    lists=True,
    read=read,
)
