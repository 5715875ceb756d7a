"""The total reward of a response: segmentation + reasoning format + segmentation format.

The segmentation reward is given whatever the format rewards say: it goes by the IoU alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from samr1.config.names import MaskReward
from samr1.method.rewards.formats import answer_format_reward, reasoning_format_reward
from samr1.method.rewards.points import PointMode, negative_points_reward
from samr1.method.rewards.quantile import IouWindow
from samr1.method.rewards.segmentation import mask_reward
from samr1.policy.answer import Answer


@dataclass(frozen=True)
class RewardParts:
    """The parts of one response's reward, and their sum."""

    segmentation: float  # 0–4
    reasoning_format: float  # +1 or −1
    segmentation_format: float  # +1 or −1
    points: float  # 0 or 1; 0 outside the negative-point ablations

    @property
    def total(self) -> float:
        """The reward that the group's advantages are taken from."""
        return self.segmentation + self.reasoning_format + self.segmentation_format + self.points


def score_response(
    text: str,
    answer: Answer,
    iou: float,
    *,
    segmentation: MaskReward = "tiered",
    threshold: float | None = None,
    window: IouWindow | None = None,
    negative_points: Literal["none"] | PointMode = "none",
) -> RewardParts:
    """All parts of the reward of one response (section 3.3).

    Args:
        text: the response as decoded.
        answer: what `parse_answer` reads of it, once for all rewards.
        iou: IoU in 0–1 of SAM's mask and the ground truth; 0 where the answer gave no box.
        segmentation: equation 5, or another of `method/rewards/segmentation.py`.
        threshold: of "fixed"; the others ignore it.
        window: the IoUs that "quantile" ranks among; the others ignore it.
        negative_points: the appendix's point reward, if any.

    Raises:
        ValueError: "fixed" without a threshold, or "quantile" without a window.

    >>> from samr1.policy.answer import parse_answer
    >>> score_response("no idea", parse_answer("no idea"), 0.0).total
    -2.0
    """
    return RewardParts(
        segmentation=mask_reward(iou, segmentation, threshold, window),
        reasoning_format=reasoning_format_reward(text),
        segmentation_format=answer_format_reward(answer),
        points=0.0
        if negative_points == "none"
        else negative_points_reward(answer, negative_points),
    )
