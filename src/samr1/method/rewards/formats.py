"""Format rewards (section 3.3), +1 or −1: the strict reading of a response.

`reasoning_format_reward` looks at the tags, `segmentation_format_reward` at what the answer tags
hold. Neither looks at the other's business, and neither raises, whatever the text.
"""

from __future__ import annotations

from samr1.config.names import DialectName
from samr1.policy.answer import Answer, parse_answer
from samr1.policy.objects import Frame

REWARD = 1.0
PENALTY = -1.0

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")


def reasoning_format_reward(text: str) -> float:
    """+1 if the whole response is `<think>…</think><answer>…</answer>`, else −1.

    Each tag occurs once, only white space stands between the two parts and nothing around them,
    and the thought is not blank.

    >>> reasoning_format_reward("<think>left</think> <answer>{}</answer>")
    1.0
    >>> reasoning_format_reward("<think></think><answer>{}</answer>")
    -1.0
    """
    if any(text.count(tag) != 1 for tag in _TAGS):
        return PENALTY
    if not (text.startswith("<think>") and text.endswith("</answer>")):
        return PENALTY
    close, opening = text.find("</think>"), text.find("<answer>")
    thought = text[len("<think>") : close]
    between = text[close + len("</think>") : opening]
    fits = close < opening and thought.strip() and not between.strip()
    return REWARD if fits else PENALTY


def segmentation_format_reward(text: str, dialect: DialectName, frame: Frame = (840, 840)) -> float:
    """+1 if the answer holds exactly the box, point and label that the dialect prescribes, else −1.

    The answer is what stands between the only `<answer>` and the only `</answer>` (for `qwen`, the
    whole response, a ```json block) and nothing but JSON, or `(x1,y1),(x2,y2)` for `visual_rft`.
    Keys are exactly the dialect's; numbers are finite and no strings or booleans; the box has area
    and lies in the frame, as do the points (0 ≤ x ≤ width, 0 ≤ y ≤ height); the label is not blank.
    And it is what evaluation reads: an answer that it cannot read is never well-formed.
    `frame` is the (width, height) that coordinates are relative to.

    >>> answer = '{"bbox_2d": [10, 20, 30, 40], "point_2d": [20, 30], "label": "cup"}'
    >>> segmentation_format_reward(f"<think>left</think><answer>{answer}</answer>", "sam_r1")
    1.0
    >>> segmentation_format_reward("<think>left</think><answer>[1, 2]</answer>", "sam_r1")
    -1.0
    """
    return answer_format_reward(parse_answer(text, dialect, frame))


def answer_format_reward(answer: Answer) -> float:
    """`segmentation_format_reward` of an answer that is read already."""
    return REWARD if answer.well_formed else PENALTY
