"""The objectives: by hand and against plain loops.

Their gradients are held against public implementations' (`test_grpo_trl`, `test_public`).
"""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from plain_twins import objective_by_loops

from samr1.config.names import Clip, Normaliser, RatioLevel
from samr1.method.objective import ObjectiveTerms, kl_estimate, policy_objective

SETTINGS = {
    "clip_low": 0.2,
    "clip_high": 0.3,
    "kl_coef": 0.005,
    "normaliser": "group",
    "longest": 8,
}


def draw(seed: int = 0, shape: tuple[int, int, int] = (3, 4, 6)) -> tuple[torch.Tensor, ...]:
    """new, old, ref [Q, G, T], advantages [Q, G] and a mask with an empty response; float64."""
    rng = torch.Generator().manual_seed(seed)
    old = -torch.rand(shape, generator=rng, dtype=torch.float64) * 3
    new = old + 0.4 * torch.randn(shape, generator=rng, dtype=torch.float64)
    ref = old + 0.2 * torch.randn(shape, generator=rng, dtype=torch.float64)
    advantages = torch.randn(shape[:2], generator=rng, dtype=torch.float64)
    lengths = torch.randint(1, shape[2] + 1, shape[:2], generator=rng)
    lengths[0, 0] = 0
    mask = torch.arange(shape[2]) < lengths.unsqueeze(-1)
    return new, old, ref, advantages, mask


@pytest.mark.parametrize("normaliser", get_args(Normaliser))
@pytest.mark.parametrize("kl_coef", [0.0, 0.005, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_objective_equals_the_plain_loops(
    normaliser: Normaliser, kl_coef: float, seed: int
) -> None:
    settings = {**SETTINGS, "normaliser": normaliser, "kl_coef": kl_coef}
    terms = policy_objective(*draw(seed), **settings)
    objective, kl = objective_by_loops(*draw(seed), **settings)
    assert float(terms.objective) == pytest.approx(objective, rel=1e-12)
    assert float(terms.kl) == pytest.approx(kl, rel=1e-9)


@pytest.mark.parametrize("ratio", get_args(RatioLevel))
@pytest.mark.parametrize("clip", get_args(Clip))
def test_every_ratio_and_clip_equals_the_plain_loops(ratio: RatioLevel, clip: Clip) -> None:
    settings = {**SETTINGS, "ratio": ratio, "clip": clip}
    if ratio == "sequence":
        settings |= {"clip_low": 0.05, "clip_high": 0.05}
    terms = policy_objective(*draw(1), **settings)
    objective, kl = objective_by_loops(*draw(1), **settings)
    assert float(terms.objective) == pytest.approx(objective, rel=1e-12)
    assert float(terms.kl) == pytest.approx(kl, rel=1e-9)
    fractions = float(terms.clip_fraction_low), float(terms.clip_fraction_high)
    assert fractions == (0, 0) if clip == "sapo" else min(fractions) > 0  # which has no bounds


def test_the_three_normalisers_by_hand() -> None:
    # Two responses of 1 and 3 tokens, A = 2 and -1, nothing moved: every token's term is A.
    zeros = torch.zeros(1, 2, 3)
    mask = torch.tensor([[[1, 0, 0], [1, 1, 1]]])
    advantages = torch.tensor([[2.0, -1.0]])
    by_response = policy_objective(
        zeros, zeros, zeros, advantages, mask, **{**SETTINGS, "normaliser": "response"}
    )
    by_token = policy_objective(zeros, zeros, zeros, advantages, mask, **SETTINGS)
    constant = policy_objective(
        zeros, zeros, zeros, advantages, mask, **{**SETTINGS, "normaliser": "constant"}
    )
    assert float(constant.objective) == pytest.approx((2 - 3) / (2 * 8))
    assert float(by_response.objective) == pytest.approx((2 - 1) / 2)  # eq. 2
    assert float(by_token.objective) == pytest.approx((2 - 3) / 4)  # eq. 4
    assert int(by_token.tokens) == 4
    assert float(by_token.kl) == 0.0


def test_questions_are_averaged_not_their_tokens() -> None:
    zeros = torch.zeros(2, 1, 4)
    mask = torch.tensor([[[1, 0, 0, 0]], [[1, 1, 1, 1]]])
    terms = policy_objective(zeros, zeros, zeros, torch.tensor([[1.0], [3.0]]), mask, **SETTINGS)
    assert terms.per_question.tolist() == [1.0, 3.0]
    assert float(terms.objective) == 2.0


@pytest.mark.parametrize("normaliser", get_args(Normaliser))
def test_split_calls_add_up_to_the_whole(normaliser: Normaliser) -> None:
    tensors = draw(1, (5, 3, 4))
    settings = {**SETTINGS, "normaliser": normaliser}
    whole = policy_objective(*tensors, **settings)
    parts = [
        (policy_objective(*(x[rows] for x in tensors), **settings), len(range(5)[rows]))
        for rows in (slice(0, 2), slice(2, 5))
    ]
    for name in ("objective", "kl"):
        summed = sum(float(getattr(terms, name)) * q / 5 for terms, q in parts)
        assert summed == pytest.approx(float(getattr(whole, name)), rel=1e-12)
    weighed = sum(float(terms.ratio_mean) * int(terms.tokens) for terms, _ in parts)
    assert weighed / int(whole.tokens) == pytest.approx(float(whole.ratio_mean), rel=1e-12)


def one_token(ratio: float, advantage: float) -> tuple[float, float]:
    """Objective and its derivative by the log-probability for a single token of a given ratio."""
    new = torch.tensor([[[math.log(ratio)]]], dtype=torch.float64, requires_grad=True)
    zero = torch.zeros(1, 1, 1, dtype=torch.float64)
    settings = {**SETTINGS, "kl_coef": 0.0}
    advantages = torch.tensor([[advantage]], dtype=torch.float64)
    terms = policy_objective(new, zero, zero, advantages, torch.ones(1, 1, 1), **settings)
    terms.objective.backward()
    return float(terms.objective.detach()), float(new.grad.sum())


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [
        (1.0, 2.0, 2.0, 2.0),  # nothing moved yet: the plain policy gradient
        (1.25, 2.0, 2.5, 2.5),  # beyond 1 + ε_low, within 1 + ε_high: still pushed up
        (1.5, 2.0, 2.6, 0.0),  # clipped at 1.3
        (1.5, -2.0, -3.0, -3.0),  # a bad token that rose is never clipped
        (0.75, -2.0, -1.6, 0.0),  # clipped at 0.8
        (0.85, -2.0, -1.7, -1.7),
        (0.5, 2.0, 1.0, 1.0),  # a good token that fell is never clipped
    ],
)
def test_clipping_is_asymmetric(ratio: float, advantage: float, value: float, slope: float) -> None:
    assert one_token(ratio, advantage) == pytest.approx((value, slope))


def test_a_constant_normaliser_needs_its_constant() -> None:
    settings = {**SETTINGS, "normaliser": "constant", "longest": 0}
    with pytest.raises(ValueError, match="longest"):
        policy_objective(*draw(), **settings)


def test_clip_fractions_and_ratio_statistics() -> None:
    ratios = torch.tensor([[[0.7, 1.0, 1.4, 1.25], [0.7, 0.5, 1.4, 9.0]]], dtype=torch.float64)
    mask = torch.tensor([[[1, 1, 1, 1], [1, 1, 1, 0]]])
    zero = torch.zeros_like(ratios)
    terms = policy_objective(
        ratios.log(), zero, zero, torch.tensor([[1.0, -1.0]]), mask, **SETTINGS
    )
    assert float(terms.clip_fraction_high) == pytest.approx(1 / 7)  # 1.4 with A > 0
    assert float(terms.clip_fraction_low) == pytest.approx(2 / 7)  # 0.7 and 0.5 with A < 0
    assert float(terms.ratio_min) == pytest.approx(0.5)
    assert float(terms.ratio_max) == pytest.approx(1.4)  # the 9.0 is padding
    assert float(terms.ratio_mean) == pytest.approx((0.7 + 1 + 1.4 + 1.25 + 0.7 + 0.5 + 1.4) / 7)


def test_only_the_new_policy_gets_a_gradient() -> None:
    new, old, ref, advantages, mask = draw()
    tensors = [x.clone().requires_grad_() for x in (new, old, ref, advantages)]
    policy_objective(*tensors, mask, **SETTINGS).objective.backward()
    assert tensors[0].grad is not None and all(x.grad is None for x in tensors[1:])


def test_first_update_may_use_its_own_log_probabilities_detached() -> None:
    new, _, ref, advantages, mask = draw()
    new.requires_grad_()
    settings = {**SETTINGS, "kl_coef": 0.0, "normaliser": "response"}
    terms = policy_objective(new, new, ref, advantages, mask, **settings)
    terms.objective.backward()
    lengths = mask.sum(-1, keepdim=True).clamp(min=1)
    expected = torch.where(mask, advantages.unsqueeze(-1) / lengths, 0.0) / (3 * 4)
    torch.testing.assert_close(new.grad, expected)
    assert float(terms.ratio_min) == float(terms.ratio_max) == 1.0


@pytest.mark.parametrize("filler", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("normaliser", get_args(Normaliser))
def test_padding_never_leaks(filler: float, normaliser: Normaliser) -> None:
    settings = {**SETTINGS, "normaliser": normaliser}
    new, old, ref, advantages, mask = draw()
    grads = []
    results: list[ObjectiveTerms] = []
    for fill in (0.0, filler):
        policy = new.masked_fill(~mask, fill).requires_grad_()
        others = (x.masked_fill(~mask, fill) for x in (old, ref))
        terms = policy_objective(policy, *others, advantages, mask, **settings)
        terms.objective.backward()
        grads.append(policy.grad)
        results.append(terms)
    torch.testing.assert_close(grads[1], grads[0], rtol=0, atol=0)
    assert (grads[1][~mask] == 0).all()
    for name in ("objective", "kl", "ratio_min", "ratio_max", "ratio_mean"):
        torch.testing.assert_close(
            *(getattr(terms, name).detach() for terms in results), rtol=0, atol=0
        )


@pytest.mark.parametrize("normaliser", get_args(Normaliser))
def test_empty_responses_add_nothing(normaliser: Normaliser) -> None:
    settings = {**SETTINGS, "normaliser": normaliser, "kl_coef": 0.0}
    new = torch.zeros(2, 2, 3, requires_grad=True)
    zero = torch.zeros(2, 2, 3)
    mask = torch.tensor([[[0, 0, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]]])
    advantages = torch.tensor([[5.0, 3.0], [1.0, 1.0]])
    terms = policy_objective(new, zero, zero, advantages, mask, **settings)
    terms.objective.backward()
    assert terms.per_question.tolist() == [
        {"group": 3.0, "response": 1.5, "constant": 6 / 16}[normaliser],
        0.0,
    ]
    assert new.grad.isfinite().all() and (new.grad[~mask.bool()] == 0).all()


def test_nothing_but_empty_responses() -> None:
    zero = torch.zeros(1, 2, 3)
    terms = policy_objective(zero, zero, zero, torch.ones(1, 2), zero, **SETTINGS)
    assert float(terms.objective) == 0.0 and int(terms.tokens) == 0
    assert float(terms.clip_fraction_high) == 0.0 and float(terms.ratio_mean) == 1.0


def test_kl_pulls_towards_the_reference() -> None:
    new = torch.tensor([[[-2.0]]], dtype=torch.float64, requires_grad=True)
    ref = torch.tensor([[[-1.0]]], dtype=torch.float64)
    settings = {**SETTINGS, "kl_coef": 1.0}
    terms = policy_objective(new, new, ref, torch.zeros(1, 1), torch.ones(1, 1, 1), **settings)
    terms.objective.backward()
    assert float(terms.kl) == pytest.approx(math.e - 1 - 1)  # exp(1) - 1 - 1
    assert float(new.grad.sum()) == pytest.approx(math.e - 1)  # up, towards the reference


def test_kl_is_reported_but_does_not_act_without_a_coefficient() -> None:
    new, old, ref, advantages, mask = draw()
    settings = {**SETTINGS, "kl_coef": 0.0}
    near = policy_objective(new, old, new, advantages, mask, **settings)
    far = policy_objective(new, old, ref, advantages, mask, **settings)
    assert float(near.kl) == 0.0 < float(far.kl)
    assert float(near.objective) == float(far.objective)


def test_kl_estimate_is_never_negative_even_close_by() -> None:
    new = torch.linspace(-3, 0, 1001)
    for step in (0.0, 1e-7, -1e-7, 1e-3, -1e-3, 2.0, -2.0):
        assert float(kl_estimate(new, new + step).min()) >= 0.0
    near = kl_estimate(torch.zeros(1), torch.full((1,), 1e-3))
    assert float(near) == pytest.approx(1e-6 / 2, rel=1e-2)


def test_wrong_shapes_are_refused() -> None:
    x = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match="advantages"):
        policy_objective(x, x, x, torch.zeros(2, 4), x, **SETTINGS)
    with pytest.raises(ValueError, match="old"):
        policy_objective(x, torch.zeros(2, 3, 1), x, torch.zeros(2, 3), x, **SETTINGS)
