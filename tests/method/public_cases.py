"""Random numbers on which public code was recorded, and on which ours is held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """Settings in TRL's words, the seed of the tensors and their shape [Q, G, T]."""

    loss_type: str  # grpo, bnpo, dapo, dr_grpo, cispo or sapo
    epsilon: float
    epsilon_high: float
    beta: float
    seed: int
    shape: tuple[int, int, int]
    level: str = "token"  # importance_sampling_level


LONGEST = 9  # max_completion_length, by which dr_grpo divides

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
    for loss_type in ("grpo", "bnpo", "dapo", "dr_grpo", "sapo")
] + [
    # In TRL the bound of CISPO's weight is `epsilon_high` itself, and there is none below.
    *(
        Case("cispo", 0.2, 1.3, beta, 20, shape)
        for beta, shape in [(0.0, (1, 4, 6)), (0.04, (1, 8, 5))]
    ),
    *(Case("grpo", 0.1, 0.15, beta, 21, (3, 4, 6), "sequence") for beta in (0.0, 0.04)),
]


# verl's losses by its names: clipped at 1 − epsilon and 1 + epsilon_high; CISPO's mean is over the
# batch's tokens, so there is one group.
VERL_CASES = [
    Case("gspo", 0.1, 0.15, 0.0, 33, (3, 4, 6), "sequence"),
    Case("sapo", 0.2, 0.3, 0.0, 32, (3, 4, 6)),
    Case("cispo", 0.2, 0.3, 0.0, 31, (1, 8, 6)),
]


def draw_rewards() -> Tensor:
    """Total rewards float32 [6, 8], one group of which agrees."""
    generator = torch.Generator().manual_seed(41)
    rewards = torch.randint(-2, 7, (6, 8), generator=generator).float()
    rewards[3] = 2.0
    return rewards


def draw_ious() -> list[list[float]]:
    """The IoUs of 20 steps of 128 responses, a fifth of them 0; they rise from step to step."""
    generator = torch.Generator().manual_seed(42)
    ious = torch.rand(20, 128, generator=generator) ** torch.linspace(3, 0.5, 20)[:, None]
    ious[torch.rand(20, 128, generator=generator) < 0.2] = 0.0
    return [step.tolist() for step in ious]


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
