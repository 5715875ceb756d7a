"""Qwen2.5-VL's own grounding prompt, answered without a thought.

A list of objects is expected; corner pairs, `(x1,y1),(x2,y2)`, as Qwen2-VL writes them between its
box tokens, are read too. VisionReasoner's script asks this model so and unites the masks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import Box, Point
from samr1.policy.parsing import (
    Failure,
    RawObject,
    Written,
    find_answer,
    read_answer,
    read_corners,
)
from samr1.policy.strict import fenced_json, is_box, is_label


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """A fenced list of one object."""
    written = json.dumps(label, ensure_ascii=False)
    return f'```json\n[\n\t{{"bbox_2d": [{write_numbers(box)}], "label": {written}}}\n]\n```'


def read(text: str) -> list[RawObject] | Failure:
    """The objects of the answer, in JSON or else in corner pairs."""
    # Where the answer begins at once, tags can only stand in its labels.
    at_once = text.lstrip().startswith(("```", "{", "["))
    written = Written(text, tagged=False, cut=True) if at_once else find_answer(text)
    found = read_answer(written, several=True)
    if found in ("no_answer", "bad_json"):
        corners = read_corners(written.text)
        return found if corners == "missing_box" else corners
    return found


DIALECT = Dialect(
    template="Locate {query}, output its bbox coordinates using JSON format.",
    write=write,
    shape={"bbox_2d": is_box, "label": is_label},
    points=0,
    lists=True,
    thinks=False,
    read=read,
    decode=fenced_json,
)
