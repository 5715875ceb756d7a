"""Questions that are drawn again because their group agrees, on one process and on several."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from interrupting import Interruption, results_of, stage_of, train
from safetensors.torch import load_file

from samr1.core.files import read_table
from samr1.method.rewards import RewardParts
from samr1.policy.answer import Answer
from samr1.rollout.sample import Group
from samr1.train.batches import Batch, Sample
from samr1.train.reward import ScoredResponse
from samr1.train.sampling import Sampled, draw_others, gather_ious, sample_again
from samr1.train.step import Rollout

POOL = 40  # samples; those whose index 3 divides differ in reward, all others agree
IN_STEP, ROUNDS = 7, 2


class Together:
    """What several processes of a training, here threads, hand each other."""

    def __init__(self, processes: int) -> None:
        self.processes, self.given = processes, [[]] * processes
        self.barrier = Barrier(processes)

    def of(self, rank: int) -> Any:
        return Process(self, rank)


class Process:
    def __init__(self, together: Together, rank: int) -> None:
        self.together, self.rank, self.processes = together, rank, together.processes

    def gather(self, values: list[Any]) -> list[Any]:
        self.together.given[self.rank] = values
        self.together.barrier.wait()
        found = [value for part in self.together.given for value in part]
        self.together.barrier.wait()
        return found


def sample_of(index: int) -> Sample:
    known: dict[str, Any] = dict.fromkeys(Sample.__dataclass_fields__)
    return Sample(**known | {"index": index, "image_id": f"i{index % 4}"})


def sampled_of(drawn: list[int], is_padding: bool, step: list[int]) -> Sampled:
    """The questions `drawn`, each with two responses whose IoU tells which question it is."""
    samples = [sample_of(index) for index in drawn]
    scored = [
        [
            ScoredResponse(Answer(None, (), "", None, "ok"), index / POOL, False, parts)
            for parts in (RewardParts(0, 1, 1, 0), RewardParts(0 if index % 3 else 4, 1, 1, 0))
        ]
        for index in drawn
    ]
    named: list[Any] = [f"question {index}" for index in drawn]
    originals: Any = {one.image_id: one.image_id for one in samples}
    batch = Batch(samples, named, originals, named, step, is_padding)
    groups = [Group([[index]], [], [False]) for index in drawn]
    texts = [[str(index)] for index in drawn]
    return Sampled(batch, Rollout(named, groups, texts, named), scored, len(drawn))


def run(process: Any, asked: list[list[int]]) -> tuple[Sampled, list[float]]:
    """What one process is left with; `asked` gets what it was to sample in each round."""
    step = list(range(IN_STEP))
    mine = step[process.rank :: process.processes]
    others: Iterator[Sample] = map(sample_of, draw_others(POOL, step, 3, 0))

    def sample(drawn: list[Sample]) -> Sampled:
        asked.append([one.index for one in drawn])
        return sampled_of(asked[-1], not drawn, step)

    first = sampled_of(mine or step[:1], not mine, step)
    found = sample_again(first, process, others, sample, ROUNDS)
    return found, gather_ious(found, process)


def run_on(processes: int) -> tuple[list[Sampled], list[float], list[list[list[int]]]]:
    together, asked = Together(processes), [[] for _ in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        found = list(pool.map(run, map(together.of, range(processes)), asked))
    assert len({tuple(ious) for _, ious in found}) == 1  # all have one window
    return [sampled for sampled, _ in found], found[0][1], asked


def plain_twin() -> list[int]:
    """The step's questions in the end, place by place."""
    others = draw_others(POOL, range(IN_STEP), 3, 0)
    places = list(range(IN_STEP))
    for _ in range(ROUNDS):
        for place, index in enumerate(places):
            if index % 3:
                places[place] = next(others)
    return places


@pytest.mark.parametrize("processes", [1, 2, 4, 9])
def test_the_same_questions_are_drawn_again_on_however_many_processes(processes: int) -> None:
    found, ious, asked = run_on(processes)
    wanted = plain_twin()
    assert [round(iou * POOL) for iou in ious[::2]] == wanted
    assert {len(rounds) for rounds in asked} == {ROUNDS}  # all take part in every round
    for rank, sampled in enumerate(found[:IN_STEP]):
        names = [f"question {index}" for index in wanted[rank::processes]]
        batch, rollout = sampled.batch, sampled.rollout
        assert [one.index for one in batch.samples] == wanted[rank::processes]
        assert batch.questions == batch.truths == rollout.questions == names
        assert rollout.image_features == names
        assert [group.responses[0][0] for group in rollout.groups] == wanted[rank::processes]
        assert {one.image_id for one in batch.samples} <= set(batch.originals)
        assert sampled.tokens == len(names) + sum(map(len, asked[rank]))


def test_a_step_never_draws_a_question_twice_and_draws_the_same_again() -> None:
    drawn = [3, 5, 8]
    others = list(draw_others(POOL, drawn, 3, 0))
    assert sorted([*others, *drawn]) == list(range(POOL))
    assert others == list(draw_others(POOL, drawn, 3, 0))
    assert others != list(draw_others(POOL, drawn, 4, 0)) != list(draw_others(POOL, drawn, 4, 1))


def test_where_no_others_are_left_what_agrees_stays() -> None:
    process = Together(1).of(0)
    first = sampled_of([1, 3, 2], False, [1, 3, 2])
    found = sample_again(
        first,
        process,
        map(sample_of, [9]),
        lambda drawn: sampled_of([one.index for one in drawn], False, []),
        5,
    )
    assert [one.index for one in found.batch.samples] == [9, 3, 2]


def ranked(world: Path, steps: int, **train: Any) -> Any:
    """A stage with a window of IoUs and questions drawn again: both have something to lose."""
    filtered = {"filter_groups": {"max_num_gen_batches": 2}}
    stage = stage_of(world, steps=steps, questions_per_update=1, **filtered, **train)
    reward = stage.reward.model_copy(update={"segmentation": "quantile"})
    return stage.model_copy(update={"reward": reward})


def test_a_killed_training_goes_on_with_its_window_and_its_draws(
    world: Path, tmp_path: Path
) -> None:
    stage = ranked(world, 3)
    assert train(world, tmp_path / "whole", stage) == [0]
    killed = Interruption("after score_groups", 3)  # twice a step: in the second
    assert train(world, tmp_path / "killed", stage, killed) == [-9]
    (kept,) = (tmp_path / "killed" / "checkpoints").glob("step_*/rank_0.safetensors")
    assert len(load_file(kept)["reward.window"]) == 128 + 2 * 3  # of the two trained on
    assert train(world, tmp_path / "killed", stage) == [0]
    assert results_of(tmp_path / "killed") == results_of(tmp_path / "whole")
    seconds = read_table(tmp_path / "whole" / "timings.parquet").to_pylist()
    # Two questions and, all of a random policy's groups agreeing, two others in their place.
    assert all(row["response_tokens"] > 2 * 3 * 8 for row in seconds[:2])


def test_several_processes_draw_again_together(world: Path, tmp_path: Path) -> None:
    stage = ranked(world, 2, zero_stage=3, questions_per_step=2)
    assert train(world, tmp_path, stage, processes=3) == [0] * 3  # the last has no question
    seconds = read_table(tmp_path / "timings.parquet").to_pylist()
    # Of both processes that have questions, a question and another each, and of these alone.
    assert all(2 * 3 * 8 < row["response_tokens"] <= 4 * 3 * 8 for row in seconds)
