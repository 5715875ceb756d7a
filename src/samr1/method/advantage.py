"""Group-relative advantages: equation 1 of the paper, and the one without its deviation."""

from __future__ import annotations

from typing import assert_never

import torch

from samr1.config.names import Advantage

# Added to the standard deviation, as verl does.
EPSILON = 1e-6


def group_advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Each reward's distance from its group's mean, in the group's standard deviations (eq. 1).

    A_i = (r_i − mean(r)) / (std(r) + 1e-6), with the sample standard deviation (n − 1). A group
    whose rewards all agree gives exactly 0, so that only the KL term acts on it.

    Args:
        rewards: [Q, G] float32 or float64, the total rewards of G responses to each of Q questions.

    Returns:
        [Q, G], the dtype and device of `rewards`.

    Raises:
        ValueError: `rewards` is not a two-dimensional floating tensor of finite numbers.

    >>> group_advantages(torch.tensor([[1.0, 3.0], [5.0, 5.0]]))
    tensor([[-0.7071,  0.7071],
            [ 0.0000,  0.0000]])
    """
    centred = group_mean_advantages(rewards)  # [Q, G]
    degrees = max(rewards.shape[1] - 1, 1)
    std = (centred.square().sum(dim=1, keepdim=True) / degrees).sqrt()  # [Q, 1]
    return centred / (std + EPSILON)


def group_mean_advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Each reward's distance from its group's mean, undivided: A_i = r_i − mean(r).

    Dr. GRPO's (arXiv 2503.20783): the division lets questions whose answers nearly agree weigh
    more. TRL's `scale_rewards: none`, verl's `norm_adv_by_std_in_grpo: false`. Arguments, result
    and refusals are those of `group_advantages`.

    >>> group_mean_advantages(torch.tensor([[1.0, 3.0], [5.0, 5.0]]))
    tensor([[-1.,  1.],
            [ 0.,  0.]])
    """
    if rewards.ndim != 2 or not rewards.is_floating_point():
        raise ValueError(f"need floating [Q, G] rewards, not {rewards.dtype} {list(rewards.shape)}")
    if not rewards.isfinite().all():
        raise ValueError("rewards must be finite")
    # Measured from the first reward, so that agreeing rewards give 0 and not a rounding over 1e-6.
    offset = rewards - rewards[:, :1]  # [Q, G]
    return offset - offset.mean(dim=1, keepdim=True)


def take_advantages(rewards: torch.Tensor, name: Advantage) -> torch.Tensor:
    """The advantages [Q, G] that a run names (`train.advantage`)."""
    match name:
        case "group":
            return group_advantages(rewards)
        case "group_mean":
            return group_mean_advantages(rewards)
        case _:
            assert_never(name)
