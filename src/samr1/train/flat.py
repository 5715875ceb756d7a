"""Says of a reward that stays at its floor for long which part it is, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from samr1.config.schema import RewardConfig

LONG = 20
"""Steps after which a part of the reward that stays at its floor is named."""

_NEAR = 0.02  # of a part's span: as good as its floor
_SHOWN = 300  # characters of the response that is shown

Row = Mapping[str, float]


@dataclass(frozen=True)
class Part:
    """What a metric is where it teaches nothing, how far it can be from there, where to look."""

    floor: float
    span: float
    advice: str


_NO_MASK = (
    "hardly a mask was good enough for it; the answers' boxes are in another frame than the "
    "dialect's, or the base is too weak for this data: look at its predictions, and at iou"
)
_PARTS = {
    "reward_segmentation": Part(0.0, 4.0, _NO_MASK),
    "iou": Part(0.0, 1.0, _NO_MASK),
    "reward_reasoning_format": Part(
        -1.0,
        2.0,
        "hardly a response thinks and answers in the tags that the dialect's prompt asks for; "
        "compare it with the prompt in src/samr1/policy/dialects, and teach the form first if the "
        "base lacks it",
    ),
    "reward_segmentation_format": Part(
        -1.0,
        2.0,
        "hardly a response has an answer of the exact form that the dialect asks for; compare it "
        "with the prompt in src/samr1/policy/dialects, and see whether its numbers lie in the "
        "image",
    ),
    "reward_points": Part(
        0.0,
        1.0,
        "hardly an answer has points of both values, and where they must lie in its box, there; "
        "see whether the dialect asks for them and what the base answers",
    ),
    "frac_reward_zero_std": Part(
        1.0,
        1.0,
        "all responses to a question earn the same, so that no step teaches anything; the "
        "questions are too hard or too easy for the policy, or train.temperature is too low",
    ),
}


def name_flat(rows: Sequence[Row], example: str, reward: RewardConfig) -> list[str]:
    """One sentence for each part of the reward that stays at its floor in the last `LONG` steps.

    `rows` are those of TRAINING_METRICS up to now, `example` a response of the last step, `reward`
    what the training rewards. A sentence is given once, at the step that makes it `LONG`.
    """
    last = rows[-LONG:]
    sentences = [
        f"{name} has been {fmean(row[name] for row in last):.3g} for {LONG} steps: "
        f"{_reason(name, last, part.advice)}"
        for name, part in _parts_of(reward).items()
        if _is_news([abs(row[name] - part.floor) for row in rows[-3 * LONG :]], part.span)
    ]
    if sentences:
        shown = example if len(example) <= _SHOWN else f"{example[:_SHOWN]}…"
        sentences.append(f"a response of this step: {shown!r}")
    return sentences


def _parts_of(reward: RewardConfig) -> dict[str, Part]:
    """What a training is rewarded for; the rank of an IoU says nothing of how good it is."""
    absent = {"reward_segmentation" if reward.segmentation == "quantile" else "iou"}
    if reward.negative_points == "none":
        absent.add("reward_points")
    return {name: part for name, part in _PARTS.items() if name not in absent}


def _is_news(away: Sequence[float], span: float) -> bool:
    """Whether a part is flat now and was not at any of the LONG steps before.

    `away` is how far it was from its floor, 3 × LONG steps or as many as there are.
    """
    return _is_flat(away, span) and not any(_is_flat(away[:-n], span) for n in range(1, LONG + 1))


def _is_flat(away: Sequence[float], span: float) -> bool:
    """Whether it is near its floor in the last LONG steps and no farther from it than before."""
    seen = away[-2 * LONG :]
    before, after = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    if len(away) < LONG or fmean(away[-LONG:]) > _NEAR * span:
        return False
    return fmean(after) <= fmean(before)


def _reason(name: str, rows: Sequence[Row], advice: str) -> str:
    """`advice`, or what comes before it: responses that end too late or hold no box."""
    truncated, parsed = (
        fmean(row[key] for row in rows) for key in ("share_truncated", "share_parsed")
    )
    if truncated > 0.5:
        return (
            f"{truncated:.0%} of the responses are cut at their longest length; raise "
            "train.max_response_tokens, or look at why they do not end"
        )
    if name in ("reward_segmentation", "iou") and parsed <= _NEAR:
        return (
            "hardly a response has a box that can be read; look at what the policy answers, and "
            "whether `dialect` is its own"
        )
    return advice
