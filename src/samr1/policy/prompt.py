"""Dialects: what the policy is asked, the form of its answer, and the frame of its coordinates.

`sam_r1` uses the keys that Qwen2.5-VL was trained on; `sam_r1_points` is its several-points form
with values 0 and 1. The others are those of public checkpoints, so that these run unchanged, and
their templates are word for word those of the public code: `seg_zero`, `vision_reasoner`,
`visual_rft`, `vlm_r1` (with the question as its REC data put it), and `qwen`, the grounding prompt
of Qwen2.5-VL's own examples, answered without a thought. How an answer is read is
`samr1.policy.grammar`'s.

The policy sees a square image in every dialect. So do Seg-Zero's and VisionReasoner's; the others'
own code keeps the image's proportions (`config/baselines.md`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from samr1.config.names import Dialect

# Without a point in the answer: the segmenter gets the box alone.
BOX_ALONE: tuple[Dialect, ...] = ("visual_rft", "vlm_r1", "qwen")
# With a list of objects for an answer: its mask is the union of theirs.
LISTS: tuple[Dialect, ...] = ("vision_reasoner", "qwen")

Box = tuple[float, float, float, float]  # xyxy
Point = tuple[float, float, int]  # x, y, value (1 on the object, 0 off it)
Frame = tuple[int, int]  # width, height that coordinates are relative to

SYSTEM_PROMPT = "You are a helpful assistant."  # Qwen2.5-VL's chat template adds it by itself


_TAGS = (
    "Output the thinking process in <think> </think> and final answer in <answer> </answer> tags."
)
_EXAMPLE = "i.e., <think> thinking process here </think>"

# {query} is the only field; the text on either side of it is constant.
TEMPLATES: dict[Dialect, str] = {
    "sam_r1": (
        'Please find "{query}" in the image. Compare the objects and choose the one that matches '
        "best. First think about what is asked and where it is, inside <think> </think> tags; then "
        "answer inside <answer> </answer> tags with one JSON object that holds the bounding box, "
        "one point inside the object and a short label, in pixels. i.e., <think> thinking process "
        'here </think><answer>{{"bbox_2d": [10, 100, 200, 210], "point_2d": [105, 155], '
        '"label": "object"}}</answer>'
    ),
    "sam_r1_points": (
        'Please find "{query}" in the image. Compare the objects and choose the one that matches '
        "best. First think about what is asked and where it is, inside <think> </think> tags; then "
        "answer inside <answer> </answer> tags with one JSON object that holds the bounding box, "
        "reference points, each with value 1 on the object or 0 off it, and a short label, in "
        "pixels. i.e., <think> thinking process here </think><answer>"
        '{{"bbox_2d": [10, 100, 200, 210], "points": [{{"point_2d": [105, 155], "value": 1}}], '
        '"label": "object"}}</answer>'
    ),
    "seg_zero": (
        "Please find '{query}' with bbox and points."
        "Compare the difference between objects and find the most closely matched one."
        f"{_TAGS}"
        "Output the one bbox and points of two largest inscribed circles inside the interested "
        "object in JSON format."
        f"{_EXAMPLE}"
        "<answer>{{'bbox': [10,100,200,210], 'points_1': [30,110], 'points_2': [35,180]}}</answer>"
    ),
    "vision_reasoner": (
        'Please find "{query}" with bboxs and points.'
        "Compare the difference between object(s) and find the most closely matched object(s)."
        f"{_TAGS}"
        "Output the bbox(es) and point(s) inside the interested object(s) in JSON format."
        f"{_EXAMPLE}"
        '<answer>[{{"bbox_2d": [10,100,200,210], "point_2d": [30,110]}}, '
        '{{"bbox_2d": [225,296,706,786], "point_2d": [302,410]}}]</answer>'
    ),
    "visual_rft": (
        "Output the bounding box in the image corresponding to the instruction: {query}. Output "
        "the thinking process in <think> </think> and your grouding box. Following "
        '"<think> thinking process </think>\n<answer>(x1,y1),(x2,y2)</answer>)" format.'
    ),
    "vlm_r1": (
        "Please provide the bounding box coordinate of the region this sentence describes: "
        "{query}. First output the thinking process in <think> </think> tags and then output the "
        "final answer in <answer> </answer> tags. Output the final answer in JSON format."
    ),
    "qwen": "Locate {query}, output its bbox coordinates using JSON format.",
}


@dataclass(frozen=True)
class Form:
    """What a dialect fixes beside its template and its answer's grammar."""

    system: str = SYSTEM_PROMPT
    """What stands before the user's turn."""
    strip: str | None = None
    """The question is lower-cased and these characters taken off its ends; None keeps it."""
    relative: int | None = None
    """Coordinates go from 0 to this along either side; None: pixels of the image it sees."""
    whole_pixels: bool = False
    """Whether its code rounds to whole pixels of the original before it prompts SAM."""


FORMS: dict[Dialect, Form] = {
    "sam_r1": Form(),
    "sam_r1_points": Form(),
    "seg_zero": Form(strip=".", whole_pixels=True),
    "vision_reasoner": Form(strip='."?!', whole_pixels=True),
    "visual_rft": Form(
        system=(
            "A conversation between User and Assistant. The user asks a question, and the "
            "Assistant solves it. The assistant first thinks about the reasoning process in the "
            "mind and then provides the user with the answer. The reasoning process and answer are "
            "enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., "
            "<think> reasoning process here </think><answer> answer here </answer>"
        ),
        relative=1000,
    ),
    "vlm_r1": Form(),
    "qwen": Form(),
}


def build_prompt(dialect: Dialect, query: str) -> str:
    """The user's text for `query`; the image comes before it in the chat.

    Seg-Zero and VisionReasoner lower-case their questions and strip full stops (VisionReasoner
    quotes, ? and ! too); their dialects do the same.
    """
    form = FORMS[dialect]
    if form.strip is not None:
        query = query.lower().strip(form.strip)
    return TEMPLATES[dialect].format(query=query)


def answer_frame(dialect: Dialect, image_size: int) -> Frame:
    """The (width, height) of coordinates in the dialect's answers to an image of that side.

    >>> answer_frame("seg_zero", 840), answer_frame("visual_rft", 840)
    ((840, 840), (1000, 1000))
    """
    side = FORMS[dialect].relative or image_size
    return side, side


def _numbers(values: Sequence[float], comma: str = ", ") -> str:
    return comma.join(str(round(value)) for value in values)


def format_answer(
    dialect: Dialect, think: str, box: Box, points: Sequence[Point], label: str
) -> str:
    """A well-formed response: the thought and the answer in the dialect's own form.

    `box` is xyxy and `points` (x, y, value), all in the dialect's frame; coordinates are rounded.
    `sam_r1` and `vision_reasoner` use the first point, `seg_zero` the first two (the first twice
    where there is one), `visual_rft`, `vlm_r1` and `qwen` none. Raises ValueError where one of the
    first three has no point.
    """
    bbox, label = f"[{_numbers(box)}]", json.dumps(label, ensure_ascii=False)
    if dialect == "qwen":
        return f'```json\n[\n\t{{"bbox_2d": {bbox}, "label": {label}}}\n]\n```'
    spots = [f"[{_numbers(point[:2])}]" for point in points]
    if not spots and dialect in ("sam_r1", "seg_zero", "vision_reasoner"):
        raise ValueError(f"an answer in the dialect {dialect} needs a point")
    if dialect == "sam_r1":
        answer = f'{{"bbox_2d": {bbox}, "point_2d": {spots[0]}, "label": {label}}}'
    elif dialect == "sam_r1_points":
        listed = ", ".join(
            f'{{"point_2d": {spot}, "value": {point[2]}}}'
            for spot, point in zip(spots, points, strict=True)
        )
        answer = f'{{"bbox_2d": {bbox}, "points": [{listed}], "label": {label}}}'
    elif dialect == "seg_zero":
        second = spots[1] if len(spots) > 1 else spots[0]
        answer = f'{{"bbox": {bbox}, "points_1": {spots[0]}, "points_2": {second}}}'
    elif dialect == "vision_reasoner":
        answer = f'[{{"bbox_2d": {bbox}, "point_2d": {spots[0]}}}]'
    elif dialect == "visual_rft":
        answer = f"({_numbers(box[:2], ',')}),({_numbers(box[2:], ',')})"
    else:  # vlm_r1
        answer = f'{{"bbox_2d": {bbox}}}'
    return f"<think> {think} </think><answer>{answer}</answer>"
