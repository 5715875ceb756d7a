"""What a rollout recorded before an optimiser step does after it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from decoding_world import Taped, features_of, three_questions
from training_world import make_stage

from samr1.config.schema import TrainStage
from samr1.policy.model import Policy, load_policy
from samr1.rollout.decode import Sampling
from samr1.rollout.rows import Rows
from samr1.rollout.runners import Eager, Runner, addresses, weights_stay
from samr1.train.engine import Engine, join_processes


def stage_of(world: Path, zero_stage: int, dtype: str) -> TrainStage:
    stage = make_stage(world, zero_stage=zero_stage)
    return stage.model_copy(update={"policy": stage.policy.model_copy(update={"dtype": dtype})})


def rows_of(policy: Policy, runner: type[Runner]) -> Rows:
    longest = max(len(question.input_ids) for question in three_questions(policy))
    return Rows(policy, 3, longest, Sampling(0.0, 1.0, 9), runner)


def say(rows: Rows) -> list[list[int]]:
    """The greedy responses of three questions."""
    policy = rows.draw.policy
    questions = three_questions(policy)
    rows.fill(questions, features_of(policy, questions), [[0], [1], [2]])
    found = []
    while rows.busy:
        found += rows.advance()
    return [one.tokens for one in sorted(found, key=lambda one: int(one.owner))]


def learn(engine: Engine, policy: Policy, responses: list[list[int]]) -> None:
    scored = engine.score(three_questions(policy), [[response] for response in responses])
    engine.backward(scored.logprobs.sum())  # away from what was said
    engine.step(3e-2)


@pytest.mark.parametrize(
    ("zero_stage", "dtype"),
    [(0, "float32"), (0, "bfloat16"), (1, "float32"), (1, "bfloat16"), (2, "bfloat16")],
)
def test_a_recording_outlives_the_optimisers_steps(
    world: Path, zero_stage: int, dtype: str
) -> None:
    join_processes()
    policy = load_policy(world / "policy", dtype)
    engine = Engine(policy, stage_of(world, zero_stage, dtype))
    assert weights_stay(policy.model)
    rows = rows_of(policy, Taped)
    tape = rows.runner.tape  # type: ignore[attr-defined]
    before, recorded = say(rows), tape.recorded
    kept = [*rows.slots.keys, *rows.slots.values, rows.slots.lengths, rows.state.tokens]
    where = addresses(policy.model), [one.data_ptr() for one in kept]
    weights = [weight.detach().clone() for weight in policy.model.parameters()]
    for _ in range(2):
        learn(engine, policy, before)
    moved = zip(weights, policy.model.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in moved)
    assert (addresses(policy.model), [one.data_ptr() for one in kept]) == where
    after = say(rows)
    assert tape.recorded == recorded
    assert after == say(rows_of(policy, Eager)) != before


def test_zero_3_has_no_addresses_to_keep(world: Path) -> None:
    join_processes()
    policy = load_policy(world / "policy")
    engine = Engine(policy, stage_of(world, 3, "float32"))
    with engine.gathered_parameters():
        assert not weights_stay(policy.model)
        assert len(say(rows_of(policy, Eager))) == 3
