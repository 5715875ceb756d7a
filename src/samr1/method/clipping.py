"""How far an update may go: the ratio to the policy that sampled, and what bounds it.

The paper's are `token` and `ppo` (equations 2 and 4). The others came after it, and are named as
TRL, verl and ms-swift name them:

- `ratio: token`, ρ_t = π(o_t) / π_old(o_t);
- `ratio: sequence`, ρ = (π(o) / π_old(o))^(1/|o|) for all tokens of o: GSPO, arXiv 2507.18071;
- `clip: ppo`, min(ρ A, clip(ρ, 1 − ε_low, 1 + ε_high) A);
- `clip: cispo`, sg(clip(ρ, 1 − ε_low, 1 + ε_high)) A log π, where sg stops the gradient: CISPO of
  MiniMax-M1, arXiv 2506.13585;
- `clip: sapo`, σ(τ (ρ − 1)) · 4/τ · A, τ by the sign of A: SAPO, arXiv 2511.20347.

PPO's clip takes the gradient from a token beyond its bound; CISPO bounds a token's weight and
leaves it the gradient; SAPO has no bound and damps a token the more, the farther its ratio is
from 1.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from samr1.config.names import Clip, RatioLevel

# SAPO's temperatures where A > 0 and elsewhere; its authors', and the defaults of TRL and verl.
TEMPERATURE_POSITIVE, TEMPERATURE_NEGATIVE = 1.0, 1.05


def importance_ratio(new: Tensor, old: Tensor, mask: Tensor, level: RatioLevel) -> Tensor:
    """The ratio of the policy to the one that sampled, by token or by response.

    Args:
        new, old: [Q, G, T] log-probabilities, equal (0, say) outside of `mask`.
        mask: [Q, G, T] bool, true on response tokens.
        level: "sequence" is the geometric mean of a response's ratios, given to all its tokens.

    Returns:
        [Q, G, T]; 1 in the padding with "token".
    """
    difference = new - old
    match level:
        case "token":
            return torch.exp(difference)
        case "sequence":
            lengths = mask.sum(dim=2, keepdim=True).clamp(min=1)
            return torch.exp(difference.sum(dim=2, keepdim=True) / lengths).expand_as(new)
        case _:
            assert_never(level)


def surrogate(
    ratio: Tensor, new: Tensor, advantage: Tensor, clip: Clip, clip_low: float, clip_high: float
) -> Tensor:
    """What an update raises, a token: the advantage under a bounded ratio, [Q, G, T].

    Args:
        ratio: [Q, G, T] of `importance_ratio`.
        new: [Q, G, T] log-probabilities under the policy; only "cispo" reads them.
        advantage: [Q, G, 1] or [Q, G, T], without gradient.
        clip: the list above; "sapo" has no use for the bounds.
        clip_low, clip_high: ε_low, ε_high.
    """
    match clip:
        case "ppo":
            clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
            return torch.minimum(ratio * advantage, clipped * advantage)
        case "cispo":
            return ratio.clamp(1 - clip_low, 1 + clip_high).detach() * advantage * new
        case "sapo":
            positive, negative = advantage.new_tensor([TEMPERATURE_POSITIVE, TEMPERATURE_NEGATIVE])
            temperature = torch.where(advantage > 0, positive, negative)
            return torch.sigmoid(temperature * (ratio - 1)) * (4 / temperature) * advantage
        case _:
            assert_never(clip)
