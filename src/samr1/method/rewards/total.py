"""The total reward of a response: segmentation + reasoning format + segmentation format.

The segmentation reward is given whatever the format rewards say: it goes by the IoU alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from samr1.config.names import Dialect, MaskReward
from samr1.method.rewards.formats import reasoning_format_reward, segmentation_format_reward
from samr1.method.rewards.points import PointMode, negative_points_reward
from samr1.method.rewards.segmentation import fixed_iou_reward, tiered_iou_reward
from samr1.policy.answer import parse_answer


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
    iou: float,
    *,
    segmentation: MaskReward,
    threshold: float | None,
    negative_points: Literal["none"] | PointMode,
    dialect: Dialect,
    frame: tuple[int, int],
) -> RewardParts:
    """All parts of the reward of one response (section 3.3).

    Args:
        text: the response as decoded.
        iou: IoU in 0–1 of SAM's mask and the ground truth; 0 where the answer gave no box.
        segmentation: equation 5, or one fixed `threshold` (ignored by "tiered").
        negative_points: the appendix's point reward, if any.
        dialect, frame: as for `parse_answer`.

    Raises:
        ValueError: "fixed" without a threshold.

    >>> parts = score_response("no idea", 0.0, segmentation="tiered", threshold=None,
    ...                        negative_points="none", dialect="sam_r1", frame=(840, 840))
    >>> parts.total
    -2.0
    """
    if segmentation == "tiered":
        mask_reward = tiered_iou_reward(iou)
    elif threshold is not None:
        mask_reward = fixed_iou_reward(iou, threshold)
    else:
        raise ValueError("a fixed segmentation reward needs a threshold")
    points = 0.0
    if negative_points != "none":
        points = negative_points_reward(parse_answer(text, dialect, frame), negative_points)
    return RewardParts(
        segmentation=mask_reward,
        reasoning_format=reasoning_format_reward(text),
        segmentation_format=segmentation_format_reward(text, dialect, frame),
        points=points,
    )
