"""What a rollout replays: no weight moves in it, nor in an update unless ZeRO 3 parts them."""

from __future__ import annotations

from pathlib import Path

import pytest
from decoding_world import Taped, features_of, three_questions
from training_world import make_stage

from samr1.policy.model import Policy, load_policy
from samr1.rollout.decode import Sampling
from samr1.rollout.rows import Rows
from samr1.rollout.runners import Eager, Runner
from samr1.train.engine import Engine, join_processes


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


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_no_weight_moves_while_it_is_whole(world: Path, zero_stage: int) -> None:
    join_processes()
    policy = load_policy(world / "policy")
    engine = Engine(policy, make_stage(world, zero_stage=zero_stage))
    said = []
    for _ in range(2):
        with engine.gathered_parameters():
            where = [weight.data_ptr() for weight in policy.model.parameters()]
            said.append(say(rows_of(policy, Taped)))
            assert [weight.data_ptr() for weight in policy.model.parameters()] == where
            assert all(where) and said[-1] == say(rows_of(policy, Eager))
        learn(engine, policy, said[-1])
        if zero_stage < 3:
            assert [weight.data_ptr() for weight in policy.model.parameters()] == where
    assert said[0] != said[1]
