"""Rollouts against their plain twin: one response by itself, with the cache of `transformers`."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from decoding_world import Taped, three_questions
from plain_twins import early_stopper, plain_sample
from tiny import TRAINED, tiny_policy

from samr1.policy.model import Policy
from samr1.rollout.distribution import keyed_uniforms
from samr1.rollout.logprobs import response_logprobs
from samr1.rollout.runners import Eager, Runner
from samr1.rollout.sample import sample_groups
from samr1.train.agreement import Agreement, check_agreement

KEYS = [(5, 1, index) for index in range(20, 23)]
RUNNERS = pytest.mark.parametrize("runner", [Eager, Taped])


@pytest.fixture(scope="module", params=TRAINED)
def policy(request: pytest.FixtureRequest) -> Policy:
    return early_stopper(request.param)


@RUNNERS
@pytest.mark.parametrize("temperature", [0.0, 0.8, 1.0])
def test_a_rollout_is_the_plain_twins(
    policy: Policy, runner: type[Runner], temperature: float
) -> None:
    questions = three_questions(policy)
    groups = sample_groups(
        policy,
        questions,
        group_size=4 if temperature else 1,
        temperature=temperature,
        max_new_tokens=30,
        keys=KEYS if temperature else None,
        runner=runner,
    )
    for question, key, group in zip(questions, KEYS, groups, strict=True):
        for i, tokens in enumerate(group.responses):
            draws = keyed_uniforms((*key, i), 30).tolist() if temperature else None
            plain, logprobs = plain_sample(policy, question, draws, temperature, 30)
            assert tokens == plain
            torch.testing.assert_close(
                group.logprobs[i], torch.tensor(logprobs), atol=1e-5, rtol=1e-5
            )
            assert group.truncated[i] == (tokens[-1] != policy.stop_token_id)
    if temperature:
        lengths = {len(tokens) for group in groups for tokens in group.responses}
        assert len(lengths) > 3 and 30 in lengths, lengths


@RUNNERS
@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_sampled_logprobs_are_those_of_the_packed_pass(
    runner: type[Runner], dtype: str, family: str
) -> None:
    ours = early_stopper(family)
    ours.model.to(getattr(torch, dtype))
    questions = three_questions(ours)
    groups = sample_groups(
        ours,
        questions,
        group_size=8,
        temperature=0.8,
        max_new_tokens=30,
        keys=KEYS,
        runner=runner,
    )
    again = response_logprobs(
        ours.model,
        questions,
        [group.responses for group in groups],
        temperature=0.8,
        blocked_token_ids=ours.blocked_token_ids,
    )
    sampled = torch.cat([row for group in groups for row in group.logprobs])
    found = Agreement.of(again.logprobs[again.mask], sampled)
    said = {token for group in groups for tokens in group.responses for token in tokens}
    assert found.tokens > 250 and not set(ours.blocked_token_ids) & said
    check_agreement(found, dtype, says=False)
    if dtype == "float32":
        assert found.largest < 1e-5
    else:  # less than training allows: a temperature that is 10 % off is found
        assert found.means()["gap_k3"] < 1e-3


@RUNNERS
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_response_ends_at_its_limit(runner: type[Runner], limit: int) -> None:
    policy = replace(tiny_policy(), stop_token_id=-1)  # which nobody says
    groups = sample_groups(
        policy,
        three_questions(policy),
        group_size=2,
        temperature=1.0,
        max_new_tokens=limit,
        keys=KEYS,
        runner=runner,
    )
    assert {len(tokens) for group in groups for tokens in group.responses} == {limit}
    assert all(flag for group in groups for flag in group.truncated)


@RUNNERS
def test_top_p_draws_from_the_nucleus_alone(policy: Policy, runner: type[Runner]) -> None:
    questions = three_questions(policy)[:1]
    narrow = sample_groups(
        policy,
        questions,
        group_size=6,
        temperature=1.0,
        top_p=1e-6,
        max_new_tokens=5,
        keys=[(0, 0, 0)],
        runner=runner,
    )[0]
    greedy = sample_groups(policy, questions, group_size=1, temperature=0.0, max_new_tokens=5)[0]
    assert narrow.responses == greedy.responses * 6


def test_sampling_needs_a_key_a_question(policy: Policy) -> None:
    with pytest.raises(ValueError, match="one key a question"):
        sample_groups(
            policy,
            three_questions(policy),
            group_size=1,
            temperature=1.0,
            max_new_tokens=2,
            keys=KEYS[:2],
        )
