"""Log-probabilities over a shared prompt, against their plain twin."""

from __future__ import annotations

import pytest
import torch
from decoding_world import three_questions
from plain_twins import plain_logits, plain_logprobs
from tiny import TRAINED, tiny_policy, use_flex
from torch import Tensor

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.distribution import next_token_logprobs
from samr1.rollout.logprobs import response_logprobs, response_logprobs_in_passes
from samr1.rollout.packing import split_passes


@pytest.fixture(scope="module", params=TRAINED)
def policy(request: pytest.FixtureRequest) -> Policy:
    return tiny_policy(family=request.param)


@pytest.fixture(scope="module")
def questions(policy: Policy) -> list[EncodedPrompt]:
    return three_questions(policy)


def random_groups(policy: Policy, lengths: list[list[int]]) -> list[list[list[int]]]:
    draw = torch.Generator().manual_seed(0)
    low, high = 10, len(policy.tokenizer)
    return [
        [torch.randint(low, high, (length,), generator=draw).tolist() for length in group]
        for group in lengths
    ]


# An empty response stands between longer ones, and the shorter rows are padded to the middle one.
LENGTHS = [[1, 7, 3], [5, 0, 9], [2, 2, 1]]


def relative(ours: Tensor, theirs: Tensor) -> float:
    """How far two tensors lie apart, as a share of the second's norm."""
    return float((ours - theirs).norm() / theirs.norm().clamp(min=1e-3))


@pytest.fixture(params=["two_calls", "flex"])
def packed_attention(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies whose packed rows are attended as on a CPU, and as on a GPU."""
    if request.param == "flex":
        use_flex(monkeypatch)


@pytest.mark.usefixtures("packed_attention")
@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ({"seed": 0}, LENGTHS),
        ({"seed": 1, "hidden": 48, "heads": 6}, [[4, 1, 0], [0, 0, 0], [6, 1, 6]]),
        ({"seed": 2, "layers": 1, "kv_heads": 4}, [[1, 1], [80, 1], [3, 150]]),
    ],
)
def test_packed_logprobs_and_gradients_equal_one_forward_pass_a_response(
    policy: Policy,
    questions: list[EncodedPrompt],
    shape: dict[str, int],
    lengths: list[list[int]],
) -> None:
    policy = tiny_policy(**shape, family=policy.model.config.model_type)
    groups = random_groups(policy, lengths)
    longest = max(map(max, lengths))
    weights = torch.randn(3, len(lengths[0]), longest, generator=torch.Generator().manual_seed(1))
    model = policy.model
    parameters = dict(model.named_parameters())

    ours = response_logprobs(
        model, questions, groups, temperature=0.7, blocked_token_ids=policy.blocked_token_ids
    )
    assert ours.mask.sum(dim=2).tolist() == lengths
    assert ours.logprobs[~ours.mask].eq(0).all()
    fast = torch.autograd.grad(
        (ours.logprobs * weights * ours.mask).sum(), list(parameters.values())
    )

    total = torch.zeros(())
    for q, group in enumerate(groups):
        for g, response in enumerate(group):
            if response:
                plain = plain_logprobs(policy, questions[q], response, 0.7)
                torch.testing.assert_close(
                    ours.logprobs[q, g, : len(response)], plain, atol=1e-5, rtol=1e-5
                )
                total = total + (plain * weights[q, g, : len(response)]).sum()
    slow = torch.autograd.grad(total, list(parameters.values()))
    for name, a, b in zip(parameters, fast, slow, strict=True):
        assert relative(a, b) < 1e-5, (name, relative(a, b))


def test_passes_and_vocabulary_chunks_change_nothing(
    policy: Policy, questions: list[EncodedPrompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = random_groups(policy, LENGTHS)
    whole = response_logprobs(
        policy.model, questions, groups, temperature=1.0, blocked_token_ids=()
    )
    (gradient,) = torch.autograd.grad(whole.logprobs.sum(), policy.model.lm_head.weight)
    monkeypatch.setattr("samr1.rollout.logprobs.LOGITS_AT_ONCE", 4 * len(policy.tokenizer))
    parts = response_logprobs_in_passes(
        policy.model,
        questions,
        groups,
        temperature=1.0,
        blocked_token_ids=(),
        tokens_per_pass=1,
    )
    torch.testing.assert_close(parts, whole.logprobs.detach(), atol=1e-5, rtol=1e-5)
    chunked = response_logprobs(
        policy.model, questions, groups, temperature=1.0, blocked_token_ids=()
    )
    (again,) = torch.autograd.grad(chunked.logprobs.sum(), policy.model.lm_head.weight)
    torch.testing.assert_close(again, gradient, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(chunked.entropies, whole.entropies, atol=1e-5, rtol=1e-5)


def test_entropy_and_the_tokens_that_are_never_said(
    policy: Policy, questions: list[EncodedPrompt]
) -> None:
    logits = plain_logits(policy, questions[0], [20, 30])
    blocked = list(policy.blocked_token_ids)
    table = next_token_logprobs(logits, torch.tensor(blocked), 1.0)
    keep = [token for token in range(logits.shape[1]) if token not in blocked]
    torch.testing.assert_close(table[:, keep], torch.log_softmax(logits[:, keep], dim=-1))
    assert table[:, blocked].exp().eq(0).all()
    ours = response_logprobs(
        policy.model, questions[:1], [[[20, 30]]], temperature=1.0, blocked_token_ids=blocked
    )
    expected = torch.distributions.Categorical(logits=logits[:, keep]).entropy()
    torch.testing.assert_close(ours.entropies[0, 0], expected, atol=1e-5, rtol=1e-5)
    assert not ours.entropies.requires_grad


def test_passes_hold_every_question_once_within_the_limit(
    policy: Policy, questions: list[EncodedPrompt]
) -> None:
    groups = random_groups(policy, LENGTHS)
    lengths = [
        len(question.input_ids) + sum(max(n - 1, 0) for n in counts)
        for question, counts in zip(questions, LENGTHS, strict=True)
    ]
    passes = list(split_passes(questions, groups, 2 * max(lengths)))
    assert sorted(row for rows in passes for row in rows) == [0, 1, 2]
    assert [len(rows) for rows in passes] == [2, 1]
    assert [len(rows) for rows in split_passes(questions, groups, 1)] == [1, 1, 1]
