"""When a step is called, recorded, replayed, and recorded anew."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from decoding_world import Taped, features_of, three_questions
from plain_twins import early_stopper

from samr1.core.device import side_stream
from samr1.policy.model import Policy
from samr1.rollout.decode import Sampling
from samr1.rollout.rows import Rows
from samr1.rollout.runners import CudaRecorder, Eager


@pytest.fixture
def policy() -> Policy:
    return early_stopper()


def filled(policy: Policy, runner: Any, limit: int = 30) -> Rows:
    questions = three_questions(policy)
    longest = max(len(question.input_ids) for question in questions)
    rows = Rows(policy, 3, longest, Sampling(0.0, 1.0, limit), runner)
    rows.fill(questions, features_of(policy, questions), [[0], [1], [2]])
    return rows


class Wide(Taped):
    """A window is as wide as all places."""

    grain = 256


def said_by(rows: Rows) -> list[list[int]]:
    return [
        row[:said]
        for row, said in zip(rows.state.tokens.tolist(), rows.state.said.tolist(), strict=True)
    ]


def test_a_shape_is_recorded_once_and_then_replayed(policy: Policy) -> None:
    eager, taped = filled(policy, Eager), filled(policy, Wide)
    tape = taped.runner.tape
    places = taped.slots.places
    for runs, steps in enumerate((0, 4, 4, 1)):
        eager.runner.run(steps, 3, eager.slots.places)
        taped.runner.run(steps, 3, places)
        taken = [0, 4, 8, 9][runs]
        # The step that is taken while it is recorded counts as one.
        assert (tape.recorded, tape.replayed) == (min(taken, 1), max(taken - 1, 0))
        assert said_by(taped) == said_by(eager)
    taped.runner.run(2, 3, places - 8)
    assert (tape.recorded, tape.replayed) == (2, 9)
    taped.runner.run(2, 3, places)
    assert (tape.recorded, tape.replayed) == (2, 11)


def test_what_is_done_is_looked_at_every_few_steps_and_no_row_goes_beyond_its_limit(
    policy: Policy,
) -> None:
    rows = filled(policy, Wide, limit=11)
    taken: list[int] = []
    run = rows.runner.run

    def counting(steps: int, count: int, places: int) -> None:
        taken.append(steps)
        run(steps, count, places)

    rows.runner.run = counting  # type: ignore[method-assign]
    ended = [[response.owner for response in rows.advance()] for _ in range(3)]
    # Ten steps follow the first token; the greedy answers have 4, 5 and 11 tokens.
    assert taken == [4, 4, 2]
    assert ended == [[0, 1], [], [2]]
    assert not rows.busy


def test_a_window_is_as_wide_as_its_longest_row_needs(policy: Policy) -> None:
    widths: list[tuple[int, int]] = []

    class Watched(Eager):
        def run(self, steps: int, rows: int, places: int) -> None:
            widths.append((rows, places))
            super().run(steps, rows, places)

    rows = filled(policy, Watched)
    prompts = [len(question.input_ids) for question in three_questions(policy)]
    while rows.busy:
        rows.advance()
    longest = [max(prompts)] * 4 + [prompts[2]] * 6
    needed = [-(-(prompt + step) // 8) * 8 for step, prompt in enumerate(longest, start=1)]
    assert [places for _, places in widths] == needed
    assert [count for count, _ in widths] == [3] * 3 + [2] + [1] * 6


class Stream:
    """A stream that writes down what it waits for."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log, self.device = name, log, "cuda:0"

    def wait_stream(self, other: Stream) -> None:
        self.log.append(f"{self.name} waits for {other.name}")


def test_a_graph_is_recorded_on_a_side_stream_after_one_real_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    side, usual = Stream("side", log), Stream("usual", log)
    accepted = inspect.signature(torch.cuda.graph.__init__)

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        log.append(f"on {stream.name}")
        yield
        log.append(f"off {stream.name}")

    @contextmanager
    def record(graph: Any, **options: Any) -> Iterator[None]:
        accepted.bind(None, graph, **options)
        assert options["stream"] is side and options["pool"] == "memory"
        log.append(f"record, errors {options['capture_error_mode']}")
        yield
        log.append("recorded")

    side_stream.cache_clear()
    streams = iter([side])  # one for all recordings: cuBLAS keeps a workspace for each for ever
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: next(streams))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: usual)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "memory")
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "graph", record)
    graph = SimpleNamespace(replay=lambda: log.append("replay"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
    for _ in range(2):
        CudaRecorder(torch.device("cuda:0"))(lambda: log.append("step"))()
    side_stream.cache_clear()
    assert log == 2 * [
        *("side waits for usual", "on side", "step", "off side", "usual waits for side"),
        *("record, errors thread_local", "step", "recorded", "replay"),
    ]
