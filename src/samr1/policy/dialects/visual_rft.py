"""Visual-RFT: asked and read as its LISA inference script does.

The first `(x1,y1),(x2,y2)` of the whole response, whole numbers on 0 to 1000 along either side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samr1.policy.dialects import Dialect, write_numbers
from samr1.policy.objects import Box, Point
from samr1.policy.parsing import CORNERS, MAX_CHARACTERS, Failure, RawObject, whole_numbers
from samr1.policy.strict import is_box, tagged_text


def write(box: Box, points: Sequence[Point], label: str) -> str:
    """The two corners."""
    return f"({write_numbers(box[:2], ',')}),({write_numbers(box[2:], ',')})"


def read(text: str) -> list[RawObject] | Failure:
    """The first box."""
    if len(text) > MAX_CHARACTERS:
        return "too_long"
    if corners := CORNERS.search(text):
        return [{"bbox_2d": whole_numbers(corners)}]
    return "missing_box" if "<answer>" in text else "no_answer"


def decode(text: str) -> Any:
    """The box that is all that the answer's tags hold."""
    corners = CORNERS.fullmatch((tagged_text(text) or "").strip())
    return corners and {"bbox_2d": whole_numbers(corners)}


DIALECT = Dialect(
    template=(
        "Output the bounding box in the image corresponding to the instruction: {query}. Output "
        "the thinking process in <think> </think> and your grouding box. Following "
        '"<think> thinking process </think>\n<answer>(x1,y1),(x2,y2)</answer>)" format.'
    ),
    write=write,
    shape={"bbox_2d": is_box},
    system=(
        "A conversation between User and Assistant. The user asks a question, and the Assistant "
        "solves it. The assistant first thinks about the reasoning process in the mind and then "
        "provides the user with the answer. The reasoning process and answer are enclosed within "
        "<think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning "
        "process here </think><answer> answer here </answer>"
    ),
    relative=1000,
    points=0,
    read=read,
    decode=decode,
)
