"""The total reward of a response: segmentation + reasoning format + segmentation format.

The segmentation reward is given whatever the format rewards say: it goes by the IoU alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from samr1.config.schema import RewardConfig
from samr1.method.rewards.formats import answer_format_reward, reasoning_format_reward
from samr1.method.rewards.points import negative_points_reward
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
    text: str, answer: Answer, iou: float, reward: RewardConfig, window: IouWindow | None = None
) -> RewardParts:
    """All parts of the reward of one response (section 3.3).

    Args:
        text: the response as decoded.
        answer: what `parse_answer` reads of it, once for all rewards.
        iou: IoU in 0–1 of SAM's mask and the ground truth; 0 where the answer gave no box.
        reward: equation 5 or another segmentation reward, and the appendix's point reward, if any.
        window: the IoUs that "quantile" ranks among; the others ignore it.

    Raises:
        ValueError: "quantile" without a window.

    >>> from samr1.policy.answer import parse_answer
    >>> paper = RewardConfig(segmentation="tiered", negative_points="none")
    >>> score_response("no idea", parse_answer("no idea"), 0.0, paper).total
    -2.0
    """
    points, mode = 0.0, reward.negative_points
    if mode != "none":
        points = negative_points_reward(answer, mode)
    return RewardParts(
        segmentation=mask_reward(iou, reward, window),
        reasoning_format=reasoning_format_reward(text),
        segmentation_format=answer_format_reward(answer),
        points=points,
    )
