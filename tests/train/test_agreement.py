"""What the check before the first update refuses, and what it only says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from engine_world import reference_and_advantages, start_engine
from training_world import make_stage

from samr1.core.errors import UserError
from samr1.train.agreement import Agreement, check_agreement
from samr1.train.metrics import UpdateRecord
from samr1.train.step import plan_updates, update


def noise(scale: float, shift: float = 0.0) -> Agreement:
    """Of 20,000 tokens whose log-probabilities scatter by `scale` around `shift`."""
    draw = torch.Generator().manual_seed(0)
    rollouts = -3 * torch.rand(20_000, generator=draw)
    scatter = scale * torch.randn(20_000, generator=draw)
    return Agreement.of(rollouts + scatter - scatter.mean() + shift, rollouts)


def rounded(count: int, temperature: float = 1.0, roll: int = 0) -> Agreement:
    """Of `count` tokens sampled from logits that bfloat16 rounds, against those before rounding.

    The latter are at another `temperature`, or those of other tokens, so many rows on.
    """
    logits = 4 * torch.randn(count, 60, generator=torch.Generator().manual_seed(0))
    rollouts = torch.log_softmax(logits.bfloat16().float(), dim=1)
    tokens = torch.multinomial(rollouts.exp(), 1, generator=torch.Generator().manual_seed(1))
    ours = torch.log_softmax(logits / temperature, dim=1).gather(1, tokens)[:, 0]
    return Agreement.of(ours.roll(roll), rollouts.gather(1, tokens)[:, 0])


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
        (noise(0.0, 0.006), "bfloat16", r"mean signed difference is 6\.00e-03, more than 5\.0e-03"),
        (noise(0.0, -0.006), "bfloat16", "mean signed difference"),
        (noise(0.05, 0.01), "bfloat16", "mean signed difference"),
        (rounded(60, temperature=1.2), "bfloat16", "k3 estimate"),
        (rounded(5_000, temperature=1.2), "bfloat16", "k3 estimate"),
        (rounded(60, roll=1), "bfloat16", "k3 estimate"),
        (noise(0.2), "bfloat16", r"k3 estimate is 2.*, more than 1\.0e-02"),
        (noise(0.0, math.nan), "float32", "largest difference is nan"),
        (noise(0.0, math.nan), "bfloat16", "k3 estimate is nan"),
    ],
)
def test_what_noise_cannot_make_is_refused(found: Agreement, dtype: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_agreement(found, dtype, says=False)


def test_a_mean_of_few_tokens_is_given_its_error() -> None:
    # What 60 tokens of a healthy run scatter, by which their mean is off as often as not.
    draw, off = torch.Generator().manual_seed(0), 0
    for _ in range(200):
        found = Agreement.of(0.03 * torch.randn(60, generator=draw), torch.zeros(60))
        off += abs(found.means()["gap_signed"]) > 5e-3
        check_agreement(found, "bfloat16", says=False)
    assert off > 20


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


@pytest.mark.parametrize("count", [60, 5_000])
def test_a_rollouts_own_bfloat16_agrees(count: int) -> None:
    found = rounded(count)
    assert found.largest > 1e-2
    check_agreement(found, "bfloat16", says=False)


def update_first(
    world: Path,
    shifts: Sequence[float],
    *,
    is_padding: bool = False,
    elsewhere: Sequence[Agreement] = (),
    **train: int,
) -> list[UpdateRecord]:
    """The first step's updates, after a rollout whose log-probabilities are off by `shifts` [Q].

    `elsewhere` is what other processes measured.
    """
    stage = make_stage(world, **train)
    engine, _, rollout = start_engine(world, stage)
    groups = [
        replace(group, logprobs=[row + shift for row in group.logprobs])
        for group, shift in zip(rollout.groups, shifts, strict=True)
    ]
    rollout = replace(rollout, groups=groups)
    updates = plan_updates(engine, rollout, 3, is_padding, stage)
    reference, advantages = reference_and_advantages(rollout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "gather", lambda own: [*own, *elsewhere])
        return update(engine, rollout, reference, advantages, updates, 1e-3, 0, stage)[0]


@pytest.mark.parametrize(
    ("shifts", "train"),
    [((0.02, 0.02, 0.02), {}), ((0.0, 0.0, -0.02), {"questions_per_update": 1})],
    ids=["all", "one of a later update"],
)
def test_a_rollout_of_another_distribution_stops_the_training(
    world: Path, shifts: tuple[float, ...], train: dict[str, int]
) -> None:
    with pytest.raises(UserError, match=r"largest difference is 2\.00e-02, more than 1\.0e-04"):
        update_first(world, shifts, **train)


def test_what_one_process_measured_stops_all(world: Path) -> None:
    off = Agreement.of(torch.full((3,), 0.02), torch.zeros(3))
    with pytest.raises(UserError, match=r"largest difference is 2\.00e-02"):
        update_first(world, (0.0, 0.0, 0.0), elsewhere=[off])


def test_a_process_that_only_keeps_company_measures_nothing(world: Path) -> None:
    near = Agreement.of(torch.zeros(3), torch.zeros(3))
    records = update_first(world, (0.02, 0.02, 0.02), is_padding=True, elsewhere=[near])
    assert {record.agreement for record in records} == {None}
