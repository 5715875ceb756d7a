"""The same recorded steps on one process, on several, and offloaded; `make test-long` has more."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from recording import apart, record, take_steps, train_on
from training_world import make_world

from samr1.policy.model import load_policy


@pytest.mark.parametrize(
    ("zero_stage", "processes", "updates"),
    [(3, 2, {}), (2, 4, {"questions_per_step": 4, "questions_per_update": 2})],
)
def test_processes_train_as_one(
    tmp_path: Path, zero_stage: int, processes: int, updates: dict[str, int]
) -> None:
    make_world(tmp_path)
    steps = record(5)[-2:]  # the last has three questions: the fourth of four processes has none
    plain = train_on(tmp_path, steps, 0, 1, **updates)
    start = load_policy(tmp_path / "policy").model.state_dict()
    assert apart((start, plain[1]), plain)[0] > 5e-4  # they have moved
    differences = apart(train_on(tmp_path, steps, zero_stage, processes, **updates), plain)
    assert max(differences) < 1e-5, differences
    # And the measure sees what is not the same: one advantage of the last step.
    steps[-1].advantages[0, 0] += 0.1
    assert max(apart(train_on(tmp_path, steps, 2, 1, **updates), plain)) > 1e-4
    assert torch.isfinite(plain[1]).all()


def test_an_offloaded_optimizer_takes_the_same_steps(world: Path) -> None:
    steps = record(2)
    plain = take_steps(world, steps, 0)
    for zero_stage in (1, 2, 3):
        offloaded = take_steps(world, steps, zero_stage, offload_optimizer=True)
        differences = apart(offloaded, plain)
        assert max(differences) < 1e-5, (zero_stage, differences)
