"""What the check before the first update refuses, and what it only says."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from samr1.core.errors import UserError
from samr1.train.agreement import Agreement, check_agreement


def noise(scale: float, shift: float = 0.0) -> Agreement:
    """Of 20,000 tokens whose log-probabilities scatter by `scale` around `shift`."""
    draw = torch.Generator().manual_seed(0)
    rollouts = -3 * torch.rand(20_000, generator=draw)
    scatter = scale * torch.randn(20_000, generator=draw)
    return Agreement.of(rollouts + scatter - scatter.mean() + shift, rollouts)


def test_k3_is_the_divergence_of_the_two_distributions() -> None:
    logits = torch.tensor([0.3, -1.0, 2.0, 0.0]), torch.tensor([0.5, -1.4, 1.8, 0.2])
    rollout, trainer = (torch.log_softmax(one, dim=0) for one in logits)
    tokens = torch.multinomial(
        rollout.exp(), 200_000, replacement=True, generator=torch.Generator().manual_seed(0)
    )
    exact = float((rollout.exp() * (rollout - trainer)).sum())
    means = Agreement.of(trainer[tokens], rollout[tokens]).means()
    assert means["gap_k3"] == pytest.approx(exact, rel=0.02)
    assert means["gap_signed"] == pytest.approx(-exact, rel=0.2)


def test_parts_together_are_the_whole() -> None:
    ours, rollouts = torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
    parts = [Agreement.of(ours[at], rollouts[at]) for at in (slice(4), slice(4, 9))]
    whole, together = Agreement.of(ours, rollouts), Agreement.together(parts)
    assert together.means() == pytest.approx(whole.means())
    assert together.largest == whole.largest and together.tokens == 9


@pytest.mark.parametrize(
    ("found", "dtype", "sentence"),
    [
        (noise(1e-3), "float32", "largest difference"),
        (noise(0.0, 0.006), "bfloat16", r"mean signed difference is 6\.00e-03, more than 5e-03"),
        (noise(0.0, -0.006), "bfloat16", "mean signed difference"),
        (noise(0.2), "bfloat16", "k3 estimate is 2.*, more than 1e-02"),
        (noise(0.0, math.nan), "float32", "largest difference is nan"),
        (noise(0.0, math.nan), "bfloat16", "k3 estimate is nan"),
    ],
)
def test_what_noise_cannot_make_is_refused(found: Agreement, dtype: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_agreement(found, dtype, says=False)


def test_noise_is_said_once_and_only_where_it_is_unusual(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_agreement(noise(1e-5), "float32", says=True)
    check_agreement(noise(0.01), "bfloat16", says=True)
    check_agreement(noise(0.04), "bfloat16", says=False)
    assert capsys.readouterr().err == ""
    check_agreement(noise(0.04), "bfloat16", says=True)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("note: ") and "3.2" in said and "e-02 on average" in said


def test_a_rollouts_own_bfloat16_agrees() -> None:
    # The logits of one model rounded as bfloat16 does, against those that it was rounded from.
    logits: Tensor = 4 * torch.randn(5_000, 60, generator=torch.Generator().manual_seed(0))
    rounded = torch.log_softmax(logits.bfloat16().float(), dim=1)
    exact = torch.log_softmax(logits, dim=1)
    tokens = torch.multinomial(rounded.exp(), 1, generator=torch.Generator().manual_seed(1))
    found = Agreement.of(exact.gather(1, tokens)[:, 0], rounded.gather(1, tokens)[:, 0])
    assert found.largest > 1e-2
    check_agreement(found, "bfloat16", says=False)
