"""Says of a reward that has not moved for long which part it is, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

LONG = 20
"""Steps after which a part of the reward that has not moved is named."""

_SHOWN = 300  # characters of the response that is shown

Row = Mapping[str, float]

# What each part is when no response earns it, and where to look then.
_EARNED_BY_NONE = {
    "reward_segmentation": (
        0.0,
        "no mask was good enough for it; the answers' boxes are in another frame than the "
        "dialect's, or the base is too weak for this data: look at its predictions, and at iou",
    ),
    "reward_reasoning_format": (
        -1.0,
        "no response thinks and answers in the tags that the dialect's prompt asks for; compare it "
        "with the prompt in src/samr1/policy/dialects, and teach the form first if the base "
        "lacks it",
    ),
    "reward_segmentation_format": (
        -1.0,
        "no response has an answer of the exact form that the dialect asks for; compare it with "
        "the prompt in src/samr1/policy/dialects, and see whether its numbers lie in the image",
    ),
}


def name_flat(rows: Sequence[Row], example: str) -> list[str]:
    """One sentence for each part of the reward that no response of the last `LONG` steps earned.

    `rows` are those of TRAINING_METRICS up to now, `example` a response of the last step. Each
    sentence is given once, at the step that makes it `LONG`.
    """
    sentences = [
        f"{name} has been {value:g} for {LONG} steps: {_reason(name, rows[-1], advice)}"
        for name, (value, advice) in _EARNED_BY_NONE.items()
        if _just_long(rows, name, value)
    ]
    if _just_long(rows, "frac_reward_zero_std", 1.0):
        sentences.append(
            f"frac_reward_zero_std has been 1 for {LONG} steps: all responses to a question earn "
            "the same, so that no step teaches anything; the questions are too hard or too easy "
            "for the policy, or train.temperature is too low"
        )
    if sentences:
        shown = example if len(example) <= _SHOWN else f"{example[:_SHOWN]}…"
        sentences.append(f"a response of this step: {shown!r}")
    return sentences


def _just_long(rows: Sequence[Row], name: str, value: float) -> bool:
    """Whether `name` is `value` in the last LONG rows and was something else before them."""
    last = rows[-LONG:]
    before = rows[-LONG - 1 : -LONG]
    return (
        len(last) == LONG
        and all(row[name] == value for row in last)
        and not any(row[name] == value for row in before)
    )


def _reason(name: str, row: Row, advice: str) -> str:
    """`advice`, or what comes before it: responses that end too late or hold no box."""
    if row["share_truncated"] > 0.5:
        return (
            f"{row['share_truncated']:.0%} of the responses are cut at their longest length; raise "
            "train.max_response_tokens, or look at why they do not end"
        )
    if name == "reward_segmentation" and not row["share_parsed"]:
        return (
            "no response has a box that can be read; look at what the policy answers, and whether "
            "`dialect` is its own"
        )
    return advice
