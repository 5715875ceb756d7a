"""Random log-probabilities on which TRL's objective was recorded and ours is held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """Settings in TRL's words, the seed of the tensors and their shape [Q, G, T]."""

    loss_type: str  # grpo, bnpo or dapo
    epsilon: float
    epsilon_high: float
    beta: float
    seed: int
    shape: tuple[int, int, int]


CASES = [
    Case(loss_type, epsilon, epsilon_high, beta, seed, shape)
    for seed, (epsilon, epsilon_high, beta, shape) in enumerate(
        [
            (0.2, 0.2, 0.0, (1, 4, 6)),
            (0.2, 0.2, 0.005, (1, 8, 3)),
            (0.2, 0.28, 0.0, (1, 5, 7)),
            (0.1, 0.4, 0.5, (1, 4, 6)),
            (0.2, 0.28, 0.04, (3, 4, 5)),
        ],
        start=5,
    )
    for loss_type in ("grpo", "bnpo", "dapo")
]


@dataclass(frozen=True)
class Tensors:
    """`new`, `old`, `ref` float64 and `mask` bool, all [Q, G, T]; `advantages` float64 [Q, G]."""

    new: Tensor
    old: Tensor
    ref: Tensor
    mask: Tensor
    advantages: Tensor


def draw(case: Case) -> Tensors:
    """The tensors of a case: responses of unequal length, ratios on both sides of the bounds.

    The first response is of full length, the second of one token.
    """
    generator = torch.Generator().manual_seed(case.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    questions, group, times = case.shape
    old = -normal(*case.shape).abs()
    lengths = torch.randint(1, times + 1, (questions, group), generator=generator)
    lengths[:, 0], lengths[:, 1] = times, 1
    return Tensors(
        new=old + 0.4 * normal(*case.shape),
        old=old,
        ref=old + 0.4 * normal(*case.shape),
        mask=torch.arange(times) < lengths[:, :, None],
        advantages=normal(questions, group),
    )


def rounded(values: Any) -> Any:
    """Numbers and nested lists of them at twelve significant digits."""
    if isinstance(values, list):
        return [rounded(value) for value in values]
    return float(f"{values:.12g}")
