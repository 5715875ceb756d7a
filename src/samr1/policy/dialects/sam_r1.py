"""SAM-R1's answer: a box, a point and a label, in the keys that Qwen2.5-VL was trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import Box, Point
from samr1.policy.strict import is_box, is_label, is_point


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """One JSON object with the first point."""
    return (
        f'{{"bbox_2d": [{write_numbers(box)}], "point_2d": [{write_numbers(points[0][:2])}], '
        f'"label": {json.dumps(label, ensure_ascii=False)}}}'
    )


DIALECT = Dialect(
    template=(
        'Please find "{query}" in the image. Compare the objects and choose the one that matches '
        "best. First think about what is asked and where it is, inside <think> </think> tags; then "
        "answer inside <answer> </answer> tags with one JSON object that holds the bounding box, "
        "one point inside the object and a short label, in pixels. i.e., <think> thinking process "
        'here </think><answer>{{"bbox_2d": [10, 100, 200, 210], "point_2d": [105, 155], '
        '"label": "object"}}</answer>'
    ),
    write=write,
    shape={"bbox_2d": is_box, "point_2d": is_point, "label": is_label},
)
