"""The buffers of keys and values: where tokens go, and what is behind them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from decoding_world import features_of, three_questions
from tiny import tiny_policy
from torch import Tensor

from samr1.policy.model import Policy
from samr1.rollout.decode import Sampling, decode_step
from samr1.rollout.rows import Rows
from samr1.rollout.runners import Eager
from samr1.rollout.slots import Slots


@pytest.fixture(scope="module")
def policy() -> Policy:
    return tiny_policy()


@pytest.fixture
def slots(policy: Policy) -> Slots:
    config = policy.model.model.language_model.config
    return Slots(config, 5, 16, policy.model.lm_head.weight.detach())


def states(*shape: int) -> Iterator[Tensor]:
    draw = torch.Generator().manual_seed(0)
    while True:
        yield torch.randn(shape, generator=draw)


def test_prompts_go_to_the_rows_of_their_groups(slots: Slots) -> None:
    prompts = slots.prompts([3, 0, 1], [1, 0, 1], torch.tensor([4, 6]))
    made = states(2, 2, 6, 8)
    keys, values = next(made), next(made)
    ours = prompts.update(keys, values, 1)
    assert ours[0] is keys and ours[1] is values
    assert slots.lengths.tolist() == [4, 6, 0, 6, 0]
    for buffer, expected in ((slots.keys[1], keys), (slots.values[1], values)):
        for row, source in ((3, 1), (0, 0), (1, 1)):
            assert torch.equal(buffer[row, :, :6], expected[source])
        assert buffer[:, :, 6:].eq(0).all() and buffer[[2, 4]].eq(0).all()
    assert slots.keys[0].eq(0).all()


def test_a_row_that_is_filled_again_is_wiped(slots: Slots) -> None:
    made = states(1, 2, 6, 8)
    slots.prompts([1, 3], [0, 0], torch.tensor([6])).update(next(made), next(made), 0)
    slots.keys[0][3] = torch.nan
    keys = next(states(1, 2, 2, 8))
    slots.prompts([3, 4], [0, 0], torch.tensor([2])).update(keys, keys, 0)
    assert slots.lengths.tolist() == [0, 6, 0, 2, 2]
    assert torch.equal(slots.keys[0][3, :, :2], keys[0])
    assert slots.keys[0][3, :, 2:].eq(0).all()
    assert slots.keys[0][1, :, :6].ne(0).any()


def test_a_token_goes_where_its_row_ends_which_a_row_that_is_done_does_not_move(
    slots: Slots,
) -> None:
    slots.lengths.copy_(torch.tensor([4, 0, 7, 2, 15]))
    done = torch.tensor([False, False, True, False, True])
    window = slots.window(4, 8)
    mask = window.advance(done[:4])
    made = states(4, 2, 1, 8)
    keys, values = next(made), next(made)
    seen = window.update(keys, values, 1)
    assert slots.lengths.tolist() == [5, 1, 7, 3, 15]
    for buffer, view, expected in (
        (slots.keys[1], seen[0], keys),
        (slots.values[1], seen[1], values),
    ):
        assert view.shape == (4, 2, 8, 8) and view.data_ptr() == buffer.data_ptr()
        assert torch.equal(view, buffer[:4, :, :8])
        filled = torch.zeros(5, 16, dtype=torch.bool)
        for row, place in enumerate([4, 0, 7, 2]):
            assert torch.equal(buffer[row, :, place], expected[row, :, 0])
            filled[row, place] = True
        assert buffer.transpose(1, 2)[~filled].eq(0).all()
    visible = (mask[:, 0, 0] == 0).sum(dim=1).tolist()
    assert visible == [5, 1, 8, 3]
    assert mask[0, 0, 0].tolist() == [0.0] * 5 + [float("-inf")] * 3


def test_moved_rows_leave_the_rest_alone(slots: Slots) -> None:
    prompts = slots.prompts([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], torch.tensor([1, 2, 3, 4, 5]))
    made = states(5, 2, 5, 8)
    for layer in (0, 1):
        prompts.update(next(made), next(made), layer)
    before = [buffer.clone() for buffer in (*slots.keys, *slots.values)]
    slots.move([0, 2], [4, 3], 8)
    assert slots.lengths.tolist() == [5, 2, 4, 4, 5]
    for buffer, old in zip((*slots.keys, *slots.values), before, strict=True):
        assert torch.equal(buffer, old[[4, 1, 3, 3, 4]])


@pytest.mark.parametrize("garbage", [1e30, -1e30, 3.0])
def test_what_is_behind_a_rows_length_changes_nothing(policy: Policy, garbage: float) -> None:
    questions = three_questions(policy)
    longest = max(len(question.input_ids) for question in questions)
    said = []
    for spoiled in (False, True):
        rows = Rows(policy, 4, longest, Sampling(0.0, 1.0, 12), Eager)
        rows.fill(questions, features_of(policy, questions), [[0], [1], [2]])
        if spoiled:
            for buffer in (*rows.slots.keys, *rows.slots.values):
                for row, length in enumerate(rows.slots.lengths.tolist()):
                    buffer[row, :, length:] = garbage
        for _ in range(11):
            decode_step(rows.draw, rows.slots.window(4, rows.slots.places), rows.state)
        said.append((rows.state.tokens[:3, :12].clone(), rows.state.logprobs[:3, :12].clone()))
    assert torch.equal(said[0][0], said[1][0])
    assert torch.equal(said[0][1], said[1][1])
