"""Prompts and answers by dialect: what the policy is asked, and the form in which it answers.

A dialect is a prompt template and an answer grammar. Coordinates are absolute pixels of the image
that the policy sees (`image_size`×`image_size`). `sam_r1` uses the keys that Qwen2.5-VL was trained
on; `sam_r1_points` is its several-points form with values 0 and 1; `seg_zero` is Seg-Zero's own
template, word for word; `vision_reasoner` VisionReasoner's; `box_only` asks for a box alone, as
Visual-RFT and VLM-R1 do; `qwen` is the base model's own grounding answer, without a thought.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, get_args

Dialect = Literal["sam_r1", "sam_r1_points", "seg_zero", "vision_reasoner", "box_only", "qwen"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

Box = tuple[float, float, float, float]  # xyxy
Point = tuple[float, float, int]  # x, y, value (1 on the object, 0 off it)

SYSTEM_PROMPT = "You are a helpful assistant."

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
    "box_only": (
        "Please provide the bounding box coordinate of the region this sentence describes: "
        "{query}. First output the thinking process in <think> </think> tags and then output the "
        "final answer in <answer> </answer> tags. Output the final answer in JSON format."
    ),
    "qwen": "Locate {query}, output its bbox coordinates using JSON format.",
}


def build_prompt(dialect: Dialect, query: str) -> str:
    """The user's text for `query`; the image comes before it in the chat.

    Seg-Zero lower-cases its question and strips the full stops; its dialect does the same.
    """
    if dialect == "seg_zero":
        query = query.lower().strip(".")
    return TEMPLATES[dialect].format(query=query)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(str(round(value)) for value in values)


def format_answer(
    dialect: Dialect, think: str, box: Box, points: Sequence[Point], label: str
) -> str:
    """A well-formed response: the thought and the answer in the dialect's own form.

    `box` is xyxy and `points` (x, y, value), all in the policy's frame; coordinates are rounded.
    `sam_r1` and `vision_reasoner` use the first point, `seg_zero` the first two (the first twice
    where there is one), `box_only` and `qwen` none. Raises ValueError where one of these three has
    no point.
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
    else:  # box_only
        answer = f'{{"bbox_2d": {bbox}}}'
    return f"<think> {think} </think><answer>{answer}</answer>"
