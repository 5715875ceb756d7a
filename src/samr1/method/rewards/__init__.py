"""Rewards: pure functions from a response's text and its mask's IoU to numbers (section 3.3)."""

from samr1.method.rewards.formats import reasoning_format_reward, segmentation_format_reward
from samr1.method.rewards.points import negative_points_reward
from samr1.method.rewards.quantile import IouWindow
from samr1.method.rewards.segmentation import (
    fixed_iou_reward,
    plain_iou_reward,
    quantile_iou_reward,
    tiered_iou_reward,
)
from samr1.method.rewards.total import RewardParts, score_response

__all__ = [
    "IouWindow",
    "RewardParts",
    "fixed_iou_reward",
    "negative_points_reward",
    "plain_iou_reward",
    "quantile_iou_reward",
    "reasoning_format_reward",
    "score_response",
    "segmentation_format_reward",
    "tiered_iou_reward",
]
