"""What a step leaves behind: one row of metrics and one of timings."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from samr1.train.agreement import Agreement
from samr1.train.reward import ScoredResponse

# What is averaged over the step's responses.
_OF_RESPONSES: dict[str, Callable[[ResponseRecord], float]] = {
    "reward_total": lambda r: r.scored.parts.total,
    "reward_segmentation": lambda r: r.scored.parts.segmentation,
    "reward_reasoning_format": lambda r: r.scored.parts.reasoning_format,
    "reward_segmentation_format": lambda r: r.scored.parts.segmentation_format,
    "reward_points": lambda r: r.scored.parts.points,
    "iou": lambda r: r.scored.iou,
    # Whose point lies in the target (`samr1.evaluation.right`).
    "right_point": lambda r: r.scored.right_point,
    "share_parsed": lambda r: r.scored.answer.box is not None,  # in which a box was found
    # Share of groups whose rewards all agree, as TRL names it.
    "frac_reward_zero_std": lambda r: not r.spread,
    "share_truncated": lambda r: r.truncated,  # cut at the length limit
    "response_length": lambda r: r.tokens,  # the stop token included
    "think_length": lambda r: len((r.scored.answer.think or "").split()),  # words of the thought
    # Points of value 1, then 0, in the answer's own box and outside.
    "positive_points_inside": lambda r: count_points(r.scored, 1, True),
    "positive_points_outside": lambda r: count_points(r.scored, 1, False),
    "negative_points_inside": lambda r: count_points(r.scored, 0, True),
    "negative_points_outside": lambda r: count_points(r.scored, 0, False),
}

# One row a step: those means, and what an update measures, averaged over the step's updates, token
# statistics by tokens. With `train.filter_groups` the responses are those that were kept, of
# questions chosen for differing.
TRAINING_METRICS = pa.schema(
    [("step", pa.int32())]
    + [
        (name, pa.float64())
        for name in (
            *_OF_RESPONSES,
            "loss",
            "kl",  # nats a token, by the run's normaliser: "constant" counts absent tokens as 0
            "clip_fraction_low",  # 0 with `clip: sapo`, which has no bounds
            "clip_fraction_high",
            "ratio_mean",
            "ratio_min",
            "ratio_max",
            "entropy",  # nats a token
            "grad_norm",  # before clipping
            "learning_rate",
            "rollout_logprob_gap",  # largest |trainer's − rollout's| of the step, nats
        )
    ]
)

# One row a step, in seconds of the first process; tokens are those of the responses, and a gap is
# the trainer's log-probabilities' to the rollout's (`samr1.train.agreement`), of all processes.
# Batches are made in the background, and `encode` is how long the step waited for its own. Gaps are
# noise of the machine, as seconds are.
TRAINING_TIMINGS = pa.schema(
    [("step", pa.int32())]
    + [
        (name, pa.float64())
        for name in ("encode", "rollout", "reward", "reference", "update", "total")
    ]
    + [("response_tokens", pa.int64()), ("rollout_tokens_per_second", pa.float64())]
    + [(name, pa.float64()) for name in ("gap_mean", "gap_signed", "gap_k3")]
)


@dataclass(frozen=True)
class ResponseRecord:
    """One response of a step, as its metrics need it."""

    scored: ScoredResponse
    tokens: int
    truncated: bool
    spread: bool  # whether the rewards of its group differ


@dataclass(frozen=True)
class UpdateRecord:
    """One pass of one update: its share of the step's questions and what it measured."""

    share: float
    tokens: int
    loss: float
    kl: float
    clip_fraction_low: float
    clip_fraction_high: float
    ratio_mean: float
    ratio_min: float
    ratio_max: float
    entropy: float
    agreement: Agreement | None  # before the first update, of the questions that the pass counts


def step_metrics(
    step: int,
    responses: Sequence[ResponseRecord],
    updates: Sequence[UpdateRecord],
    grad_norms: Sequence[float],
    learning_rate: float,
) -> dict[str, float]:
    """One row of TRAINING_METRICS from the records of all processes."""

    def by_share(value: Callable[[UpdateRecord], float]) -> float:
        return sum(record.share * value(record) for record in updates) / len(grad_norms)

    tokens = max(sum(record.tokens for record in updates), 1)

    def by_tokens(value: Callable[[UpdateRecord], float]) -> float:
        return sum(record.tokens * value(record) for record in updates) / tokens

    return {
        "step": step,
        **{
            name: sum(map(value, responses)) / len(responses)
            for name, value in _OF_RESPONSES.items()
        },
        "loss": by_share(lambda u: u.loss),
        "kl": by_share(lambda u: u.kl),
        "clip_fraction_low": by_tokens(lambda u: u.clip_fraction_low),
        "clip_fraction_high": by_tokens(lambda u: u.clip_fraction_high),
        "ratio_mean": by_tokens(lambda u: u.ratio_mean),
        "ratio_min": min(record.ratio_min for record in updates if record.share),
        "ratio_max": max(record.ratio_max for record in updates if record.share),
        "entropy": by_tokens(lambda u: u.entropy),
        "grad_norm": math.fsum(grad_norms) / len(grad_norms),
        "learning_rate": learning_rate,
        "rollout_logprob_gap": max(
            record.agreement.largest for record in updates if record.agreement
        ),
    }


def step_timing(
    step: int, seconds: Mapping[str, float], total: float, tokens: int, agreement: Agreement
) -> dict[str, float]:
    """One row of TRAINING_TIMINGS: this process's `seconds`, and all processes' `tokens` and
    `agreement`."""
    return {
        "step": step,
        **seconds,
        "total": total,
        "response_tokens": tokens,
        "rollout_tokens_per_second": tokens / seconds["rollout"],
        **agreement.means(),
    }


def count_points(scored: ScoredResponse, value: int, inside: bool) -> int:
    """How many of the answer's points have `value` and lie inside (or outside) its own box."""
    box = scored.answer.box
    if box is None:
        return 0
    return sum(
        point[2] == value
        and (box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]) == inside
        for point in scored.answer.points
    )
