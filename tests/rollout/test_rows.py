"""What a row says does not depend on which row it is, on who else is there, or on who was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from decoding_world import Taped, features_of, three_questions
from plain_twins import early_stopper

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.decode import Sampling
from samr1.rollout.rows import Finished, Rows
from samr1.rollout.runners import Eager, Runner

SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=24)
OWNERS = [(q, i) for i in range(5) for q in range(3)]  # question and number


@pytest.fixture(scope="module")
def policy() -> Policy:
    return early_stopper()


@pytest.fixture(scope="module")
def questions(policy: Policy) -> list[EncodedPrompt]:
    return three_questions(policy)


class Asked:
    """Some rows, and questions with the owners' keys to fill them with."""

    def __init__(self, policy: Policy, questions: list[EncodedPrompt], *rows: Any) -> None:
        self.questions, self.features = questions, features_of(policy, questions)
        longest = max(len(question.input_ids) for question in questions)
        self.rows = Rows(policy, rows[0], longest, SAMPLING, rows[1])

    def fill(self, *owners: tuple[int, int]) -> None:
        self.rows.fill(
            [self.questions[q] for q, _ in owners],
            [self.features[q] for q, _ in owners],
            [[owner] for owner in owners],
            [[(7, q, i)] for q, i in owners],
        )

    def finish(self) -> list[Finished]:
        found: list[Finished] = []
        while self.rows.busy:
            found += self.rows.advance()
        return found


@pytest.fixture(scope="module")
def alone(policy: Policy, questions: list[EncodedPrompt]) -> dict[Any, Finished]:
    """Each response with a row to itself, decoded one after the other in rows that are new."""
    found = {}
    for owner in OWNERS:
        asked = Asked(policy, questions, 1, Eager)
        asked.fill(owner)
        (found[owner],) = asked.finish()
    lengths = {len(response.tokens) for response in found.values()}
    assert len(lengths) > 4 and 24 in lengths, lengths
    return found


def assert_alike(found: list[Finished], alone: dict[Any, Finished]) -> None:
    for response in found:
        twin = alone[response.owner]
        assert response.tokens == twin.tokens and response.truncated == twin.truncated
        torch.testing.assert_close(response.logprobs, twin.logprobs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("runner", [Eager, Taped])
@pytest.mark.parametrize("count", [1, 2, 4, 7])
@pytest.mark.parametrize("backwards", [False, True])
def test_rows_that_are_filled_again(
    policy: Policy,
    questions: list[EncodedPrompt],
    alone: dict[Any, Finished],
    runner: type[Runner],
    count: int,
    backwards: bool,
) -> None:
    asked, waiting = Asked(policy, questions, count, runner), list(OWNERS)
    if backwards:
        waiting.reverse()
    found: list[Finished] = []
    while waiting or asked.rows.busy:
        while waiting and asked.rows.free:
            some = waiting[: asked.rows.free]
            waiting = waiting[len(some) :]
            asked.fill(*some)
        assert asked.rows.free + asked.rows.busy == count
        found += asked.rows.advance()
    assert sorted(response.owner for response in found) == sorted(OWNERS)
    assert_alike(found, alone)


@pytest.mark.parametrize("runner", [Eager, Taped])
def test_a_row_that_broke_leaves_nothing_to_the_next(
    policy: Policy,
    questions: list[EncodedPrompt],
    alone: dict[Any, Finished],
    runner: type[Runner],
) -> None:
    asked = Asked(policy, questions, 3, runner)
    asked.fill(*OWNERS[:3])
    assert_alike(asked.finish(), alone)
    slots = asked.rows.slots
    for buffer in (*slots.keys, *slots.values):
        buffer.fill_(torch.nan)  # as if the responses had overflowed
    asked.fill(*OWNERS[3:6])
    found = asked.finish()
    assert len(found) == 3
    assert_alike(found, alone)


def test_a_group_starts_from_one_prompt(
    policy: Policy, questions: list[EncodedPrompt], alone: dict[Any, Finished]
) -> None:
    asked = Asked(policy, questions, 10, Eager)
    asked.fill((2, 0))  # so that the groups' rows are not the first
    prompts = []
    language = policy.model.model.language_model
    handle = language.register_forward_pre_hook(
        lambda _, __, inputs: prompts.append(inputs["inputs_embeds"].shape[:2]), with_kwargs=True
    )
    asked.rows.fill(
        questions[:2],
        asked.features[:2],
        [[(q, i) for i in range(4)] for q in range(2)],
        [[(7, q, i) for i in range(4)] for q in range(2)],
    )
    handle.remove()
    assert prompts == [(2, max(len(question.input_ids) for question in questions[:2]))]
    found = asked.finish()
    assert len(found) == 9
    assert_alike(found, alone)


def test_what_rows_cannot_hold_or_draw_is_refused(
    policy: Policy, questions: list[EncodedPrompt]
) -> None:
    asked = Asked(policy, questions[:1], 2, Eager)
    asked.questions, asked.features = questions, features_of(policy, questions)
    with pytest.raises(ValueError, match=r"there are 2 rows for prompts of up to"):
        asked.fill((1, 0))
    asked = Asked(policy, questions, 2, Eager)
    with pytest.raises(ValueError, match=r"3 responses to prompts of .* there are 2 rows"):
        asked.fill((0, 0), (0, 1), (0, 2))
    with pytest.raises(ValueError, match="greedy rows have no keys"):
        asked.rows.fill(questions[:1], asked.features[:1], [[(0, 0)]])
