"""Group-relative advantages: equation 1 of the paper."""

from __future__ import annotations

import torch

# Added to the standard deviation, as verl and TRL do.
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
    if rewards.ndim != 2 or not rewards.is_floating_point():
        raise ValueError(f"need floating [Q, G] rewards, not {rewards.dtype} {list(rewards.shape)}")
    if not rewards.isfinite().all():
        raise ValueError("rewards must be finite")
    # Measured from the first reward, so that agreeing rewards give 0 and not a rounding over 1e-6.
    offset = rewards - rewards[:, :1]  # [Q, G]
    centred = offset - offset.mean(dim=1, keepdim=True)  # [Q, G]
    degrees = max(rewards.shape[1] - 1, 1)
    std = (centred.square().sum(dim=1, keepdim=True) / degrees).sqrt()  # [Q, 1]
    return centred / (std + EPSILON)
