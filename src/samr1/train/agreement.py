"""Whether the trainer's log-probabilities are the rollout's: both must mean one distribution.

In float32 the two passes agree to rounding. In bfloat16 single tokens scatter, but noise has no
sign, up to the error that a mean of so many tokens has, and moves the distribution little: what it
cannot make is refused, and what it seldom makes is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from samr1.core.errors import UserError, say

_LARGEST_FLOAT32 = 1e-4  # of a single token
_K3, _SIGNED = 1e-2, 5e-3
_ERRORS = 4  # standard errors of the signed mean that are noise
_NOISY = 2e-2  # of the mean |difference|: said, not refused


@dataclass(frozen=True)
class Agreement:
    """Differences, trainer's − rollout's, of the log-probabilities of some tokens, in nats.

    `largest` is the largest without its sign; the others are sums over the `tokens`. `k3` is of
    exp(d) − d − 1, whose mean estimates the KL divergence of the two distributions.
    """

    tokens: int
    largest: float
    absolute: float
    signed: float
    k3: float

    @classmethod
    def of(cls, ours: Tensor, rollouts: Tensor) -> Agreement:
        """Of the log-probabilities [N] of the same tokens by both."""
        gap = (ours - rollouts).double()
        return cls(
            tokens=len(gap),
            largest=gap.abs().max().item(),
            absolute=gap.abs().sum().item(),
            signed=gap.sum().item(),
            k3=(torch.expm1(gap) - gap).sum().item(),
        )

    @classmethod
    def together(cls, parts: Iterable[Agreement]) -> Agreement:
        """Of all tokens of several parts."""
        found = list(parts)
        return cls(
            tokens=sum(part.tokens for part in found),
            largest=max(part.largest for part in found),
            absolute=sum(part.absolute for part in found),
            signed=sum(part.signed for part in found),
            k3=sum(part.k3 for part in found),
        )

    def means(self) -> dict[str, float]:
        """The means over the tokens, under the names that a step's timings have for them."""
        return {
            "gap_mean": self.absolute / self.tokens,
            "gap_signed": self.signed / self.tokens,
            "gap_k3": self.k3 / self.tokens,
        }


def check_agreement(found: Agreement, dtype: str, *, says: bool) -> None:
    """Raise UserError where the two passes do not mean one distribution, before the first update.

    `found` is of the tokens of all processes.
    Where bfloat16 is noisier than usual, it is said on stderr if this process `says` such things.
    """
    means = found.means()
    mean, signed, k3 = means["gap_mean"], means["gap_signed"], means["gap_k3"]
    if dtype == "float32":
        bounds = [("largest difference", found.largest, _LARGEST_FLOAT32)]
    else:
        variance = max(2 * k3 - signed**2, 0.0)  # k3 is half the square of a small difference
        noise = _SIGNED + _ERRORS * math.sqrt(variance / found.tokens)
        bounds = [("k3 estimate", k3, _K3), ("mean signed difference", abs(signed), noise)]
    for name, value, allowed in bounds:
        if not value <= allowed:
            raise UserError(
                "the trainer's log-probabilities are not the rollout's: before the first update "
                f"their {name} is {value:.2e}, more than {allowed:.1e} in {dtype}; the two passes "
                "do not mean one distribution, so training was stopped."
            )
    if dtype != "float32" and mean > _NOISY and says:
        say(
            f"note: before the first update a token's log-probability differs by {mean:.2e} on "
            f"average between rollout and trainer (with its sign by {signed:.2e}, k3 {k3:.2e}), "
            f"more than the {_NOISY:.0e} that {dtype} usually makes."
        )
