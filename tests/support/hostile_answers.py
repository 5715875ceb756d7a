"""Responses that were well-formed once, and what broken or hostile policies make of them."""

from __future__ import annotations

import random
from typing import get_args

from samr1.config.names import DIALECTS, DialectName
from samr1.method.rewards import reasoning_format_reward, segmentation_format_reward
from samr1.policy.answer import Answer, parse_answer
from samr1.policy.dialects import get_dialect
from samr1.policy.parsing import Status

FRAME = (84, 84)

PIECES = (
    *"{}[]()\",:'\\/#0123456789.-eE \n“”‘’，：",
    "NaN", "Infinity", "null", "None", "true", "1e999", "-0", "9" * 400, "9" * 5000, "٣",
    "\ud800", "\x00", "é", "\\ud83d", '\\"', "//", "[]", "{}", "()", ", ,", ",]", ",}",
    "<think>", "</think>", "<answer>", "</answer>", "```", "```json\n", "<|box_start|>",
    '"bbox_2d":', "'bbox':", '"bboxes": [[', '"points":', '"points_1":', '"value":', '"label":',
    '"bbox_label": "x",', "[1, 2, 30, 40]", "(1,2),(30,40)", '{"x1": 1, "y1": 2,', "[[1,2],[3,4]]",
)  # fmt: skip


def draw_response(rng: random.Random, dialect: DialectName) -> str:
    """A well-formed response in `FRAME`."""
    box = (rng.randint(0, 40), rng.randint(0, 40), rng.randint(41, 84), rng.randint(41, 84))
    points = [(rng.randint(0, 84), rng.randint(0, 84), i % 2) for i in range(rng.randint(1, 3))]
    return get_dialect(dialect).respond("it is on the left", box, points, "the boy's cup")


def mutate(rng: random.Random, text: str, most: int = 4) -> str:
    """`text` with up to `most` pieces put in or taken out."""
    for _ in range(rng.randint(0, most)):
        at, length = rng.randrange(len(text) + 1), rng.choice((0, 1, 1, 5, 20))
        text = text[:at] + rng.choice((*PIECES, "")) + text[at + length :]
    return text


def hostile_response(rng: random.Random) -> str:
    """A mutated response, two of them spliced, a soup of pieces, or one piece many times."""
    kind = rng.random()
    text = draw_response(rng, rng.choice(DIALECTS))
    if kind < 0.6:
        return mutate(rng, text, most=6)
    if kind < 0.75:
        other = draw_response(rng, rng.choice(DIALECTS))
        return mutate(rng, text[: rng.randrange(len(text))] + other[rng.randrange(len(other)) :])
    if kind < 0.95:
        return "".join(rng.choices(PIECES, k=rng.randint(1, 60)))
    at, piece = rng.randrange(len(text)), "".join(rng.choices(PIECES, k=rng.randint(1, 3)))
    longest = 2_000 if kind < 0.9999 else 200_000  # beyond what is read
    return text[:at] + piece * rng.randint(1, longest // len(piece) + 1) + text[at:]


def check_response(text: str, dialect: DialectName) -> Answer:
    """Read and reward a response, and assert what holds of every one."""
    answer = parse_answer(text, dialect, FRAME)
    assert answer.status in get_args(Status) and (answer.box is not None) == (answer.status == "ok")
    for box, points in ((answer.box, answer.points), *answer.others):
        if box is not None:
            x1, y1, x2, y2 = box
            assert 0 <= x1 < x2 <= FRAME[0] and 0 <= y1 < y2 <= FRAME[1]
        assert all(0 <= x <= FRAME[0] and 0 <= y <= FRAME[1] and v in (0, 1) for x, y, v in points)
    for said in (answer.label, answer.think):
        assert said is None or said.encode("utf-8").strip()
    assert reasoning_format_reward(text) in (1, -1)
    rewarded = segmentation_format_reward(text, dialect, FRAME)
    assert rewarded == (1 if answer.well_formed else -1)
    assert rewarded == -1 or answer.status == "ok"
    return answer
