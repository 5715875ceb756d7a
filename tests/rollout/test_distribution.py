"""Drawing a token against a search through one sum after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from samr1.rollout import distribution
from samr1.rollout.distribution import choose, keyed_uniforms, next_token_logprobs


def random_table(rows: int, tokens: int, blocked: list[int]) -> Tensor:
    logits = 3 * torch.randn(rows, tokens, generator=torch.Generator().manual_seed(0))
    return next_token_logprobs(logits, torch.tensor(blocked, dtype=torch.int64), 1.0)


def plain_choice(table: Tensor, draw: float) -> int:
    heights = np.cumsum(table.double().exp().numpy())
    return int(np.searchsorted(heights, draw * heights[-1], side="right"))


@pytest.mark.parametrize("tokens", [1, 7, 1024, 1025, 5000])
def test_a_token_is_where_the_sum_passes_the_draw(tokens: int) -> None:
    table = random_table(300, tokens, [])
    uniforms = keyed_uniforms(("draw",), 300)
    found = choose(table, uniforms, 1.0).tolist()
    assert found == [
        plain_choice(row, draw) for row, draw in zip(table, uniforms.tolist(), strict=True)
    ]


@pytest.mark.parametrize("stretch", [4, 7, 1024])
def test_what_is_blocked_is_never_drawn_not_even_at_the_ends(
    stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "STRETCH", stretch)
    blocked = [0, 1, 2, 3, 4, 9, 15, 16, 17, 18, 19]  # whole stretches of 4, first and last
    ends = [0.0, np.nextafter(1.0, 0.0), 0.5, 1e-300, 1 - 1e-16]
    uniforms = torch.tensor(ends * 40, dtype=torch.float64)
    found = choose(random_table(200, 20, blocked), uniforms, 1.0)
    assert not set(found.tolist()) & set(blocked)
    assert len(set(found.tolist())) > 6


@pytest.mark.parametrize("stretch", [4, 7])
def test_a_draw_on_a_border_takes_a_token_that_may_be_said(
    stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "STRETCH", stretch)
    open_tokens = [token for token in range(40) if token % stretch == 1]
    blocked = [token for token in range(40) if token % stretch != 1]
    table = random_table(3000, 40, blocked)
    heights = table.double().exp().cumsum(dim=1)
    for token in open_tokens:
        for sign in (-1, 0, 1):  # to a rounding
            border = heights[:, token] / heights[:, -1]
            uniforms = (border + sign * torch.finfo(torch.float64).eps / 4).clamp(0, 1 - 2**-53)
            found = choose(table, uniforms, 1.0)
            assert not set(found.tolist()) & set(blocked)


def test_the_nucleus_are_the_likeliest_tokens() -> None:
    table = torch.tensor([[0.1, 0.4, 0.05, 0.3, 0.15]]).log()
    uniforms = torch.linspace(0, 0.999, 50, dtype=torch.float64)
    drawn = choose(table.expand(50, -1), uniforms, 0.6)
    assert set(drawn.tolist()) == {1, 3}  # 0.4 and 0.3 reach it
    assert drawn.tolist().count(1) == pytest.approx(50 * 0.4 / 0.7, abs=1)


def test_a_key_is_all_that_draws_depend_on() -> None:
    assert torch.equal(keyed_uniforms((0, "a", 1), 5), keyed_uniforms((0, "a", 1), 9)[:5])
    assert not torch.equal(keyed_uniforms((0, "a", 1), 5), keyed_uniforms((0, "a", 2), 5))
