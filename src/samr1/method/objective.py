"""The clipped objectives of the paper: equation 2 (GRPO) and equation 4 (SAM-R1), KL of equation 3.

Both take the minimum of ρ A and clip(ρ, 1 − ε_low, 1 + ε_high) A, less β KL, token by token; they
differ in the normaliser. Equation 2 averages the tokens of a response, then the responses of a
group; equation 4 averages over all tokens of a group. Questions are averaged in both. What came
after the paper stands beside them: other ratios and clips in `method/clipping.py`, a constant
normaliser here.

Ratios are not clamped before the exponential: the equations hold as written, and a log-ratio that
overflows (88 in float32) gives a non-finite objective, which the trainer must refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from samr1.config.names import Clip, Normaliser, RatioLevel
from samr1.method.clipping import importance_ratio, surrogate


@dataclass(frozen=True)
class ObjectiveTerms:
    """The objective of some questions and what to watch beside it; all tensors, 0-d but one.

    A step may be split over several calls: the step's objective (and `kl`) is the sum over calls
    of `objective * (Q of the call / Q of the step)`; the token statistics weigh by `tokens`.
    """

    objective: Tensor  # to maximise; mean of per_question; carries the gradient
    per_question: Tensor  # [Q]; carries the gradient
    kl: Tensor  # eq. 3 under the objective's own normaliser, whatever its coefficient
    # Share of response tokens with A < 0 and ρ < 1 − ε_low; 0 with "sapo", which has no bounds.
    clip_fraction_low: Tensor
    clip_fraction_high: Tensor  # the same of A > 0 and ρ > 1 + ε_high
    ratio_mean: Tensor  # ρ over response tokens; 1 where there are none
    ratio_min: Tensor
    ratio_max: Tensor
    tokens: Tensor  # number of response tokens, int64


def policy_objective(
    new: Tensor,
    old: Tensor,
    ref: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    kl_coef: float,
    normaliser: Normaliser = "group",
    ratio: RatioLevel = "token",
    clip: Clip = "ppo",
    longest: int = 0,
) -> ObjectiveTerms:
    """The objective of equation 4 or another `normaliser`'s, equation 2's say, to maximise.

    Args:
        new, old, ref: [Q, G, T] log-probabilities (float32 or float64) of the response tokens under
            the policy, the policy that sampled them, and the reference. Only `new` gets a gradient.
        advantages: [Q, G], the same for every token of a response.
        mask: [Q, G, T] bool or 0/1, true on response tokens, the end-of-turn token among them.
            What stands elsewhere is never read, not even NaN, and gets gradient 0.
        clip_low, clip_high: ε_low, ε_high.
        kl_coef: β. `kl` is reported for 0 too.
        normaliser: of a question's tokens (`normalise`).
        ratio, clip: `method/clipping.py`; the paper's are the defaults.
        longest: tokens of the longest response that may be; for the normaliser "constant" alone.

    An empty response adds nothing: eq. 2 still counts it in G, and a group of none but empty
    responses adds 0.

    Raises:
        ValueError: the shapes disagree, or "constant" has no `longest`.
    """
    _check_shapes(new, old, ref, advantages, mask)
    mask = mask.bool()
    # Before any arithmetic, so that a NaN in the padding reaches neither value nor gradient.
    new = torch.where(mask, new, 0.0)
    old = torch.where(mask, old.detach(), 0.0)
    ref = torch.where(mask, ref.detach(), 0.0)
    advantage = advantages.detach().unsqueeze(-1)  # [Q, G, 1]

    ratios = importance_ratio(new, old, mask, ratio)  # [Q, G, T]
    gain = surrogate(ratios, new, advantage, clip, clip_low, clip_high)
    kl = kl_estimate(new, ref)
    per_token = gain - kl_coef * kl if kl_coef else gain

    per_question = normalise(per_token, mask, normaliser, longest)  # [Q]
    objective = per_question.mean()
    with torch.no_grad():
        tokens = mask.sum()
        share = 1 / tokens.clamp(min=1)
        bounded = mask & (clip != "sapo")
        low = bounded & (advantage < 0) & (ratios < 1 - clip_low)
        high = bounded & (advantage > 0) & (ratios > 1 + clip_high)
        seen = ratios[mask] if tokens else ratios.new_ones(1)
        return ObjectiveTerms(
            objective=objective,
            per_question=per_question,
            kl=normalise(kl, mask, normaliser, longest).mean(),
            clip_fraction_low=low.sum() * share,
            clip_fraction_high=high.sum() * share,
            ratio_mean=seen.mean(),
            ratio_min=seen.min(),
            ratio_max=seen.max(),
            tokens=tokens,
        )


def kl_estimate(new: Tensor, ref: Tensor) -> Tensor:
    """The k3 estimate of the KL divergence per token (eq. 3), never negative.

    π_ref/π − log(π_ref/π) − 1 from log-probabilities of one shape; the same shape back.

    >>> kl_estimate(torch.tensor([0.0, -1.0]), torch.tensor([0.0, -1.0]))
    tensor([0., 0.])
    """
    log_ratio = ref - new
    return torch.expm1(log_ratio) - log_ratio  # expm1: exact where the two policies nearly agree


def normalise(values: Tensor, mask: Tensor, normaliser: Normaliser, longest: int = 0) -> Tensor:
    """[Q, G, T] values of tokens to [Q], what is not in `mask` left out.

    "group" averages over a group's tokens (eq. 4); "response" over each response's, then over the
    group (eq. 2); "constant" divides by G · `longest` tokens, however many there are, so that a
    token weighs the same in every group (Dr. GRPO, arXiv 2503.20783; TRL's `dr_grpo`, verl's
    `seq-mean-token-sum-norm`).
    """
    values = torch.where(mask, values, 0.0)
    match normaliser:
        case "group":
            return values.sum(dim=(1, 2)) / mask.sum(dim=(1, 2)).clamp(min=1)
        case "response":
            return (values.sum(dim=2) / mask.sum(dim=2).clamp(min=1)).mean(dim=1)
        case "constant":
            if longest < 1:
                raise ValueError("a constant normaliser needs the longest response's tokens")
            return values.sum(dim=(1, 2)) / (values.shape[1] * longest)
        case _:
            assert_never(normaliser)


def _check_shapes(new: Tensor, old: Tensor, ref: Tensor, advantages: Tensor, mask: Tensor) -> None:
    shapes = {"new": new.shape, "old": old.shape, "ref": ref.shape, "mask": mask.shape}
    agree = all(shape == new.shape for shape in shapes.values())
    if new.ndim != 3 or not agree or advantages.shape != new.shape[:2]:
        named = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise ValueError(
            f"need [Q, G, T] log-probabilities and mask and [Q, G] advantages, "
            f"not {named}, advantages {list(advantages.shape)}"
        )
