"""SAM-R1's answer for questions about several objects: a list, one object of its keys for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from samr1.policy.dialects import sam_r1
from samr1.policy.objects import Box, Point
from samr1.policy.parsing import Failure, RawObject, find_answer, read_answer


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """A list of one object with the first point."""
    return f"[{sam_r1.write(box, points, label)}]"


def read(text: str) -> list[RawObject] | Failure:
    """The objects of the last answer."""
    return read_answer(find_answer(text), several=True)


DIALECT = replace(
    sam_r1.DIALECT,
    template=(
        'Please find "{query}" in the image. Compare the objects and choose all that match. First '
        "think about what is asked and where it is, inside <think> </think> tags; then answer "
        "inside <answer> </answer> tags with a JSON list that holds, for each object, its bounding "
        "box, one point inside the object and a short label, in pixels. i.e., <think> thinking "
        'process here </think><answer>[{{"bbox_2d": [10, 100, 200, 210], "point_2d": [105, 155], '
        '"label": "object"}}, {{"bbox_2d": [225, 296, 706, 786], "point_2d": [302, 410], '
        '"label": "object"}}]</answer>'
    ),
    write=write,
    lists=True,
    read=read,
)
