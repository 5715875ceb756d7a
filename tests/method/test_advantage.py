"""The group advantage of equation 1."""

from __future__ import annotations

import math

import pytest
import torch

from samr1.method.advantage import group_advantages


def test_advantages_by_hand() -> None:
    rewards = torch.tensor([[1.0, 2.0, 3.0, 6.0]], dtype=torch.float64)
    std = math.sqrt((4 + 1 + 0 + 9) / 3)  # the sample standard deviation, n - 1
    expected = torch.tensor([[-2.0, -1.0, 0.0, 3.0]], dtype=torch.float64) / (std + 1e-6)
    torch.testing.assert_close(group_advantages(rewards), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, -1.7, 1e6 + 0.1])
def test_agreeing_rewards_give_exactly_zero(dtype: torch.dtype, value: float) -> None:
    rewards = torch.full((2, 7), value, dtype=dtype)
    rewards[1, 0] += 1
    advantages = group_advantages(rewards)
    assert advantages.dtype == dtype
    assert (advantages[0] == 0).all()
    assert advantages[1, 0] > 2 and abs(float(advantages[1].sum())) < 1e-2


def test_groups_do_not_touch_each_other() -> None:
    rewards = torch.tensor([[0.0, 4.0, 6.0], [100.0, 200.0, 150.0]])
    together = group_advantages(rewards)
    torch.testing.assert_close(together[:1], group_advantages(rewards[:1]), rtol=0, atol=0)


def test_a_group_of_one_has_no_advantage() -> None:
    assert group_advantages(torch.tensor([[3.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize(
    "rewards",
    [torch.tensor([1.0, 2.0]), torch.tensor([[1, 2]]), torch.tensor([[1.0, float("nan")]])],
)
def test_unfit_rewards_are_refused(rewards: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="rewards"):
        group_advantages(rewards)
