"""SAM-R1's answer with several points, on the object or off it: its negative-point ablations."""

from __future__ import annotations

import json
from collections.abc import Sequence

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import MAX_POINTS, Box, Point
from samr1.policy.strict import is_box, is_label, is_points


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """One JSON object with all points and their values."""
    listed = ", ".join(
        f'{{"point_2d": [{write_numbers(point[:2])}], "value": {point[2]}}}' for point in points
    )
    return (
        f'{{"bbox_2d": [{write_numbers(box)}], "points": [{listed}], '
        f'"label": {json.dumps(label, ensure_ascii=False)}}}'
    )


DIALECT = Dialect(
    template=(
        'Please find "{query}" in the image. Compare the objects and choose the one that matches '
        "best. First think about what is asked and where it is, inside <think> </think> tags; then "
        "answer inside <answer> </answer> tags with one JSON object that holds the bounding box, "
        "reference points, each with value 1 on the object or 0 off it, and a short label, in "
        "pixels. i.e., <think> thinking process here </think><answer>"
        '{{"bbox_2d": [10, 100, 200, 210], "points": [{{"point_2d": [105, 155], "value": 1}}], '
        '"label": "object"}}</answer>'
    ),
    write=write,
    shape={"bbox_2d": is_box, "points": is_points, "label": is_label},
    points=MAX_POINTS,
)
