"""Segmentation rewards: the IoU between SAM's mask and the ground truth becomes a reward here.

`iou` is that of one response, a plain float in 0–1. Take it in double precision, from whole numbers
of pixels: 0.8 as a float32 lies above 0.8. The response's form is not looked at.
"""

from __future__ import annotations

from typing import assert_never

from samr1.config.schema import RewardConfig
from samr1.method.rewards.quantile import IouWindow

# Equation 5: (the IoU to exceed, the reward), highest first.
TIERS = ((0.8, 4.0), (0.7, 3.0), (0.5, 2.0))
# The other rewards keep the tiers' range, so that the format rewards weigh as much beside them.
HIGHEST = 4.0


def tiered_iou_reward(iou: float) -> float:
    """4 above 0.8, 3 above 0.7, 2 above 0.5, else 0; a bound belongs to the tier below it (eq. 5).

    >>> [tiered_iou_reward(iou) for iou in (0.5, 0.7, 0.8, 0.81)]
    [0.0, 2.0, 3.0, 4.0]
    """
    return next((reward for bound, reward in TIERS if iou > bound), 0.0)


def fixed_iou_reward(iou: float, threshold: float) -> float:
    """4 above the threshold, else 0: the ablation of Table 4.

    >>> fixed_iou_reward(0.71, 0.7), fixed_iou_reward(0.7, 0.7)
    (4.0, 0.0)
    """
    return HIGHEST if iou > threshold else 0.0


def plain_iou_reward(iou: float) -> float:
    """4 × IoU: no step, so that a better mask always earns more.

    Public code gives the IoU as it is, 0-1, beside format rewards of 0 or 1 (VLM-R1, Visual-RFT);
    ours are -1 or 1 beside 0-4, so that the two weigh twice as much against each other. Within a
    group whose formats agree the factor cancels in equation 1.

    >>> plain_iou_reward(0.5)
    2.0
    """
    return HIGHEST * iou


def quantile_iou_reward(iou: float, window: IouWindow) -> float:
    """4 × the rank of the IoU among the training's last ones, in tenths.

    Dr. Seg's is the rank itself, 0-1, one of three of its kind beside format rewards.

    >>> quantile_iou_reward(0.5, IouWindow((0.0, 0.2, 0.5, 0.9)))
    3.2
    """
    return HIGHEST * window.rank(iou)


def mask_reward(iou: float, reward: RewardConfig, window: IouWindow | None = None) -> float:
    """The reward that a run names (`reward.segmentation`), with what it is measured against.

    Raises ValueError: "quantile" without a window.
    """
    match reward.segmentation:
        case "tiered":
            return tiered_iou_reward(iou)
        case "fixed":
            assert reward.threshold is not None  # the schema has it so
            return fixed_iou_reward(iou, reward.threshold)
        case "iou":
            return plain_iou_reward(iou)
        case "quantile":
            if window is None:
                raise ValueError("a quantile segmentation reward needs the last IoUs")
            return quantile_iou_reward(iou, window)
        case _:
            assert_never(reward.segmentation)
