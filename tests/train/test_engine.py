"""An update of the engine against torch's own AdamW, on one process and on two."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_world import make_rollout, reference_and_advantages, start_engine, take_step
from interrupting import stage_of
from plain_twins import plain_logprobs
from processes import find_port, fork, take_place
from torch import Tensor, nn
from training_world import make_stage

from samr1.core.errors import UserError
from samr1.method.objective import policy_objective
from samr1.policy.model import Policy, load_policy, save_policy
from samr1.rollout import logprobs
from samr1.train.engine import Engine, join_processes
from samr1.train.scorer import Scorer
from samr1.train.step import Rollout, plan_updates, update

Weights = dict[str, Tensor]


def run_update(world: Path, tokens_per_pass: int, **train: Any) -> tuple[Weights, list[float]]:
    stage = make_stage(world, tokens_per_pass=tokens_per_pass, learning_rate=1e-2, **train)
    join_processes()
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    engine = Engine(policy, stage)
    updates = plan_updates(engine, rollout, 3, False, stage)
    passes = 3 if tokens_per_pass == 1 else len(updates)
    assert sum(map(len, updates)) == passes
    reference, advantages = reference_and_advantages(rollout)
    _, norms = update(engine, rollout, reference, advantages, updates, 1e-2, 0, stage)
    with engine.gathered_parameters():
        return {name: one.clone() for name, one in policy.model.state_dict().items()}, norms


@cache
def plain_update(world: Path, size: int = 3, **objective: Any) -> tuple[Weights, list[float]]:
    """The twin: torch's own AdamW, one full forward pass a response, no engine.

    Two epochs of updates of `size` questions each; the last may be short. `objective` is what the
    objective has otherwise than in the paper.
    """
    settings = {"clip_low": 0.2, "clip_high": 0.3, "kl_coef": 0.005, "normaliser": "group"}
    settings |= {"longest": 8, **objective}
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    reference, advantages = reference_and_advantages(rollout)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-2, weight_decay=0.01)

    def score_all() -> tuple[Tensor, Tensor]:
        new, mask = torch.zeros_like(reference), torch.zeros_like(reference)
        for q, g in itertools.product(range(3), range(3)):
            response = rollout.responses[q][g]
            new[q, g, : len(response)] = plain_logprobs(policy, rollout.questions[q], response, 1.0)
            mask[q, g, : len(response)] = 1
        return new, mask

    old, norms = score_all()[0].detach(), []
    for start in [*range(0, 3, size)] * 2:
        here = slice(start, start + size)
        new, mask = score_all()
        terms = policy_objective(
            new[here],
            old[here],
            reference[here],
            advantages[here],
            mask[here],
            **settings,
        )
        optimizer.zero_grad()
        (-terms.objective).backward()
        norms.append(float(nn.utils.clip_grad_norm_(policy.model.parameters(), 0.5)))
        optimizer.step()
    return policy.model.state_dict(), norms


@pytest.mark.parametrize(
    ("tokens_per_pass", "train"),
    [
        (4096, {}),
        (1, {}),
        (1, {"zero_stage": 2}),
        (1, {"zero_stage": 2, "gradient_checkpointing": True}),
        (1, {"zero_stage": 3, "gradient_checkpointing": True}),
    ],
)
def test_an_update_of_the_engine_is_torchs_adamw_on_the_whole_step(
    any_world: Path, tokens_per_pass: int, train: dict[str, Any]
) -> None:
    plain, plain_norms = plain_update(any_world)
    ours, norms = run_update(any_world, tokens_per_pass, **train)
    assert norms == pytest.approx(plain_norms, rel=1e-4)
    assert distance(ours, plain, any_world) < 2e-3


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    ("tokens_per_pass", "train"),
    [
        (4096, {}),
        (1, {"zero_stage": 2}),
        (1, {"zero_stage": 3, "gradient_checkpointing": True}),
    ],
)
def test_updates_of_some_questions_are_torchs_adamw_with_the_ratios_of_the_rollout(
    world: Path, size: int, tokens_per_pass: int, train: dict[str, Any]
) -> None:
    plain, plain_norms = plain_update(world, size)
    ours, norms = run_update(world, tokens_per_pass, **train, questions_per_update=size)
    assert len(norms) == 2 * -(-3 // size)
    assert norms == pytest.approx(plain_norms, rel=1e-3)
    assert distance(ours, plain, world) < 5e-3


@pytest.mark.parametrize(
    "objective",
    [
        {"normaliser": "constant"},
        {"ratio": "sequence", "normaliser": "response", "clip_low": 0.01, "clip_high": 0.01},
        {"clip": "cispo"},
        {"clip": "sapo", "normaliser": "response"},
    ],
    ids=["constant", "gspo", "cispo", "sapo"],
)
def test_what_a_run_names_is_the_objective_that_it_is_trained_on(
    world: Path, objective: dict[str, Any]
) -> None:
    plain, plain_norms = plain_update(world, **objective)
    ours, norms = run_update(world, 4096, **objective)
    assert norms == pytest.approx(plain_norms, rel=1e-3)
    assert distance(ours, plain, world) < 5e-3


@pytest.mark.parametrize("zero_stage", [0, 1])
def test_a_first_step_in_bfloat16_is_torchs_adamw_on_masters_in_float32(
    world: Path, zero_stage: int
) -> None:
    engine, _, rollout = start_engine(world, stage_of(world, "bfloat16", zero_stage=zero_stage))
    take_step(engine, rollout)
    policy = load_policy(world / "policy", "bfloat16")
    (-Scorer(policy, 1.0, False)(rollout.questions, rollout.responses, None)[0].sum()).backward()
    masters = [weight.detach().float() for weight in policy.model.parameters()]
    for master, weight in zip(masters, policy.model.parameters(), strict=True):
        master.grad = weight.grad.float()
    nn.utils.clip_grad_norm_(masters, 0.5)
    torch.optim.AdamW(masters, lr=1e-3, weight_decay=0.01).step()
    tensors = engine.tensors()
    assert {float(one) for name, one in tensors.items() if name.endswith(".step")} == {1.0}
    ours = [one.flatten() for name, one in tensors.items() if name.endswith(".master")]
    theirs = torch.cat([master.flatten() for master in masters])
    torch.testing.assert_close(torch.cat(ours)[: len(theirs)], theirs, rtol=0, atol=1e-6)


def test_gradient_checkpointing_computes_layers_again_and_changes_nothing_else(world: Path) -> None:
    join_processes()
    found = []
    for checkpointing in (False, True):
        policy = load_policy(world / "policy")
        before = make_rollout(policy)
        engine = Engine(policy, make_stage(world, gradient_checkpointing=checkpointing))
        runs = count_runs(policy)
        scored = engine.score(before.questions, before.responses)
        weights = torch.randn(scored.logprobs.shape, generator=torch.Generator().manual_seed(2))
        engine.backward((scored.logprobs * weights).sum())
        assert set(runs.values()) == {2 if checkpointing else 1}
        assert not any(module.training for module in policy.model.modules())
        after = make_rollout(policy)
        for old, new in zip(before.groups, after.groups, strict=True):
            assert old.responses == new.responses
            assert torch.equal(torch.cat(old.logprobs), torch.cat(new.logprobs))
        gradients = [weight.grad for weight in policy.model.parameters()]
        found.append((scored.logprobs.detach(), *gradients))
    for plain, ours in zip(*found, strict=True):
        assert float((ours - plain).norm() / plain.norm().clamp(min=1e-3)) < 1e-5


def count_runs(policy: Policy) -> Counter[str]:
    """How often each layer's first part has run."""
    runs: Counter[str] = Counter()
    language, visual = policy.model.model.language_model, policy.model.model.visual
    for name, part in [
        *((f"language {i}", layer.input_layernorm) for i, layer in enumerate(language.layers)),
        *((f"vision {i}", block.norm1) for i, block in enumerate(visual.blocks)),
    ]:
        part.register_forward_pre_hook(lambda *_, name=name: runs.update([name]))
    return runs


def update_on_one_of_two(rank: int, port: int, world: Path) -> None:
    """What each of two processes does with its part of the questions; the first saves."""
    take_place(rank, 2, port)
    join_processes()
    part_every_weight()
    stage = make_stage(world, zero_stage=3)
    policy = load_policy(world / "policy")
    # Of four tokens: the first process has twice as many chunks of logits.
    logprobs.LOGITS_AT_ONCE = 4 * len(policy.tokenizer)
    whole = make_rollout(policy)
    reference, advantages = reference_and_advantages(whole)
    mine = slice(rank, None, 2)  # two questions for the first process, one for the second
    rollout = Rollout(whole.questions[mine], whole.groups[mine], [], None)
    engine = Engine(policy, stage)
    updates = plan_updates(engine, rollout, 3, False, stage)
    assert [len(passes) for passes in updates] == [1]
    update(engine, rollout, reference[mine], advantages[mine], updates, 1e-2, 0, stage)
    with engine.gathered_parameters():
        if rank == 0:
            save_policy(policy, world / "of_two")
    torch.distributed.destroy_process_group()


def part_every_weight() -> None:
    """Let ZeRO 3 part small weights too: it leaves whole what has under 100,000 numbers."""
    import deepspeed

    initialize = deepspeed.initialize

    def parting(*, config: dict[str, Any], **given: Any) -> Any:
        config["zero_optimization"]["stage3_param_persistence_threshold"] = 0
        return initialize(config=config, **given)

    deepspeed.initialize = parting


def test_two_processes_with_unequal_shares_train_as_one(any_world: Path) -> None:
    # ZeRO 3 gathers a module's weights when it is called, on both processes at once.
    port = find_port()
    workers = [fork(update_on_one_of_two, rank, port, any_world) for rank in range(2)]
    for worker in workers:
        worker.join(300)  # one that waits for the other waits for ever
        worker.kill()
    assert [worker.exitcode for worker in workers] == [0, 0]
    plain, _ = plain_update(any_world)
    assert distance(weights_of(any_world / "of_two"), plain, any_world) < 2e-3


@cache
def weights_of(policy: Path) -> Weights:
    return load_policy(policy).model.state_dict()


def distance(ours: Weights, theirs: Weights, world: Path) -> float:
    """How far two policies lie apart, as a share of the way from the start to `theirs`."""
    start = weights_of(world / "policy")
    moved = torch.cat([(theirs[name] - start[name]).flatten() for name in start])
    apart = torch.cat([(ours[name] - theirs[name]).flatten() for name in start])
    assert float(moved.abs().mean()) > 3e-3
    # AdamW divides by the gradient's own size: one that is all rounding may turn around.
    return float(apart.norm() / moved.norm())


def test_a_loss_that_is_no_number_stops_the_training(world: Path) -> None:
    stage = make_stage(world)
    join_processes()
    policy = load_policy(world / "policy")
    rollout = make_rollout(policy)
    engine = Engine(policy, stage)
    updates = plan_updates(engine, rollout, 3, False, stage)
    reference, advantages = reference_and_advantages(rollout)
    with pytest.raises(UserError, match="step 7, update 1: the loss is nan"):
        update(engine, rollout, reference * torch.nan, advantages, updates, 1e-3, 7, stage)


def test_no_operator_s_compiler_is_tried(world: Path) -> None:
    start_engine(world, make_stage(world))
    assert vars(sys.modules["deepspeed.ops"])["__compatible_ops__"] == {}
