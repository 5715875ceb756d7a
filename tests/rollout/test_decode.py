"""One decoding step: what it changes, and that a GPU may record it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from decoding_world import features_of, three_questions
from fake_cuda import ComesFromHost, fake_cuda, onto_fake_cuda
from plain_twins import early_stopper
from tiny import TRAINED, tiny_policy
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException

from samr1.policy.model import Policy
from samr1.rollout.decode import Draw, Sampling, State, decode_step
from samr1.rollout.rows import Rows
from samr1.rollout.runners import Eager
from samr1.rollout.slots import Slots

ROWS, PLACES = 4, 32


@pytest.fixture(params=TRAINED)
def policy(request: pytest.FixtureRequest) -> Policy:
    return early_stopper(request.param)


def filled(policy: Policy, limit: int, temperature: float = 1.0) -> Rows:
    """Rows with three groups of four, and one row that is free."""
    questions = three_questions(policy)
    longest = max(len(question.input_ids) for question in questions)
    rows = Rows(policy, 13, longest, Sampling(temperature, 1.0, limit), Eager)
    owners = [[(q, i) for i in range(4)] for q in range(3)]
    keys = [[(2, *owner) for owner in group] for group in owners] if temperature else None
    rows.fill(questions, features_of(policy, questions), owners, keys)
    return rows


def of_row(rows: Rows, row: int) -> list[Tensor]:
    """All that a row has said and holds."""
    state, slots = rows.state, rows.slots
    length = int(slots.lengths[row])
    cached = [buffer[row, :, :length] for buffer in (*slots.keys, *slots.values)]
    said = int(state.said[row])
    kept = [state.tokens[row, :said], state.logprobs[row, :said], state.said[row], state.done[row]]
    return [part.clone() for part in (*cached, *kept, state.starts[row], slots.lengths[row])]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_nothing_of_a_finished_row_changes_however_long_the_others_go_on(
    policy: Policy, temperature: float
) -> None:
    limit = 20
    rows = filled(policy, limit, temperature)
    window = rows.slots.window(13, rows.slots.places)
    ended: dict[int, list[Tensor]] = {}
    for _ in range(limit + 10):  # ten steps more than the longest response has
        decode_step(rows.draw, window, rows.state)
        for row in rows.state.done.nonzero()[:, 0].tolist():
            now = of_row(rows, row)
            before = ended.setdefault(row, now)
            assert all(map(torch.equal, now, before)), row
    assert sorted(ended) == list(range(13))
    said = set(rows.state.said[:12].tolist())
    assert len(said) > 3 and limit in said if temperature else len(said) == 3
    assert int(rows.state.said[12]) == 1 and int(rows.slots.lengths[12]) == 0


def test_steps_write_in_place_and_never_beyond_their_row(policy: Policy) -> None:
    rows = filled(policy, 20)
    kept = [*rows.slots.keys, *rows.slots.values, rows.slots.lengths]
    kept += [part for part in vars(rows.state).values() if part is not None]
    before = [part.data_ptr() for part in kept]
    window = rows.slots.window(13, rows.slots.places)
    lengths = rows.slots.lengths.clone()
    for _ in range(5):
        decode_step(rows.draw, window, rows.state)
    assert [part.data_ptr() for part in kept] == before
    grown = (rows.slots.lengths - lengths).tolist()
    assert grown[12] == 0 and max(grown) == 5
    for buffer in (*rows.slots.keys, *rows.slots.values):
        for row, length in enumerate(rows.slots.lengths.tolist()):
            # Behind a row's tokens are one place for when it is done, and its prompt's padding.
            end = max(length + 1, int(lengths.max()))
            assert buffer[row, :, end:].eq(0).all()


def step_on_fake_cuda(
    sampling: Sampling, dtype: torch.dtype, family: str = "qwen2_5_vl"
) -> tuple[Draw, Any, State]:
    policy = tiny_policy(family=family)
    onto_fake_cuda(policy.model, dtype)
    weight = policy.model.get_input_embeddings().weight
    slots = Slots(policy.model.model.language_model.config, ROWS, PLACES, weight)
    blocked = torch.empty(3, dtype=torch.int64, device="cuda")
    state = State.empty(ROWS, sampling, weight.device)
    return Draw(policy, sampling, blocked), slots.window(ROWS, PLACES), state


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (1.0, 1.0), (0.7, 0.9)])
def test_a_step_asks_the_host_for_nothing_and_is_always_the_same(
    temperature: float, top_p: float, dtype: torch.dtype, family: str
) -> None:
    with fake_cuda() as steps:
        parts = step_on_fake_cuda(Sampling(temperature, top_p, 8), dtype, family)
        with steps:
            decode_step(*parts)
            first = list(steps.ran)
            decode_step(*parts)
        assert steps.ran == first + first
        names = {name for name, _ in first}
        # Sums in float32 come out of a bfloat16 product as they are.
        assert ("aten.mm.dtype" in names) == (dtype == torch.bfloat16)


def test_what_a_capture_would_refuse_is_refused_here() -> None:
    with fake_cuda() as steps:
        _, _, state = step_on_fake_cuda(Sampling(1.0, 1.0, 8), torch.float32)
        with pytest.raises(DataDependentOutputException), steps:
            bool(state.done.any())
        with pytest.raises(ComesFromHost), steps:
            torch.tensor([1, 2], device="cuda")
        with pytest.raises(ComesFromHost), steps:
            state.said.add_(torch.ones((), dtype=torch.int64))


def test_the_mask_begins_where_a_gpus_kernel_wants_it(policy: Policy) -> None:
    rows = filled(policy, 20)
    assert rows.slots.places % 8 == 0
    mask = rows.slots.window(13, 24).advance(rows.state.done)
    assert mask.shape == (13, 1, 1, 24) and mask.stride(3) == 1
    assert all(stride % 8 == 0 for stride in mask.stride()[:3])
    assert mask.dtype == rows.slots.keys[0].dtype
