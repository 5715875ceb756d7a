"""Ours against verl's and Dr. Seg's own functions, as recorded by `record_public.py`.

verl minimises: its loss is minus our objective. It has no KL term in these, averages `gspo` and
`sapo` by response and then over all responses (our "response"), and `cispo` over the batch's tokens
(our "group", of the one group). Its lengths are 1e-8 longer, so that an empty response divides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from public_cases import VERL_CASES, Case, draw, draw_ious, draw_rewards

from samr1.method.advantage import take_advantages
from samr1.method.objective import policy_objective
from samr1.method.rewards import IouWindow

RECORD = json.loads((Path(__file__).parents[1] / "fixtures" / "grpo_public.json").read_text())


@pytest.mark.parametrize("name", ["group", "group_mean"])
def test_the_advantages_are_verls(name: Any) -> None:
    ours = take_advantages(draw_rewards(), name)
    theirs = torch.tensor(RECORD["advantages"][name]).reshape(ours.shape)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    assert not ours[3].any()  # of the group that agrees


@pytest.mark.parametrize(
    ("case", "record"),
    [
        pytest.param(*pair, id=pair[0].loss_type)
        for pair in zip(VERL_CASES, RECORD["losses"], strict=True)
    ],
)
def test_the_objectives_are_verls(case: Case, record: dict[str, Any]) -> None:
    drawn = draw(case)
    new = drawn.new.clone().requires_grad_()
    terms = policy_objective(
        new,
        drawn.old,
        drawn.ref,
        drawn.advantages,
        drawn.mask,
        clip_low=case.epsilon,
        clip_high=case.epsilon_high,
        kl_coef=0.0,
        normaliser="group" if case.loss_type == "cispo" else "response",
        ratio=case.level,
        clip="ppo" if case.loss_type == "gspo" else case.loss_type,
    )
    (gradient,) = torch.autograd.grad(-terms.objective, new)
    theirs = torch.tensor(record["gradient"], dtype=torch.float64).reshape(case.shape)
    torch.testing.assert_close(gradient, theirs, rtol=1e-7, atol=1e-10)
    assert -terms.objective.item() == pytest.approx(record["loss"], rel=1e-7)
    assert terms.ratio_min < 1 - case.epsilon and terms.ratio_max > 1 + case.epsilon_high


def test_the_ranks_are_dr_segs_and_the_oldest_fall_out() -> None:
    window, lines = IouWindow(), []
    for step in draw_ious():
        lines.append("".join("0123456789A"[round(10 * window.rank(iou))] for iou in step))
        window = window.extended(step)
    assert lines == RECORD["ranks"]
    assert len(window.ious) == 2048 and window.ious[-128:] == tuple(draw_ious()[-1])
