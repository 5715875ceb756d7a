"""Trainings that are killed, stopped or go wrong, and go on to the same bytes."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_world import start_engine, take_step
from interrupting import (
    Interruption,
    kept_steps,
    last_line,
    left_over,
    results_of,
    stage_of,
    train,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from samr1.core.errors import Stopped, UserError
from samr1.core.files import read_table
from samr1.train import checkpoint, loop
from samr1.train.metrics import TRAINING_METRICS


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a training that nothing interrupts leaves."""
    output = tmp_path_factory.mktemp("whole")
    assert train(world, output, stage_of(world)) == [0]
    assert left_over(output) == []
    return results_of(output)


@pytest.fixture(scope="module")
def stopped_once(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that a signal stopped in its third step, before the update."""
    output = tmp_path_factory.mktemp("stopped")
    asked = Interruption("after score_groups", 2, signal.SIGTERM)
    assert train(world, output, stage_of(world), asked) == [Stopped.exit_code]
    assert kept_steps(output) == [2, 3]
    assert last_line(output) == (
        "error: SIGTERM stopped the training after step 3 of 4; the same command goes on from "
        f"{output}/checkpoints/step_000003."
    )
    return output


@pytest.fixture
def stopped(stopped_once: Path, tmp_path: Path) -> Path:
    """It, to go on with."""
    return shutil.copytree(stopped_once, tmp_path / "stopped")


def test_a_training_killed_again_and_again_ends_with_the_same_bytes(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    for moment, nth, kept in (
        ("half of write_tensors", 0, []),
        ("before write_text", 9, [1]),  # after eight of loading: the second lacks its manifest
        ("after step", 0, [1]),
        ("after replace", 5, [1, 2, 3]),  # of the third, before the first is removed
        ("before save_policy", 0, [3, 4]),
        ("after write_table", 0, [3, 4]),  # of the outputs: no step is taken again
    ):
        ended = train(world, tmp_path, stage_of(world), Interruption(moment, nth))
        assert ended == [-signal.SIGKILL], moment
        assert kept_steps(tmp_path) == kept, moment
    assert train(world, tmp_path, stage_of(world)) == [0]
    assert results_of(tmp_path) == whole
    assert left_over(tmp_path) == []
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    for tag in ("train/loss", "seconds/total"):
        assert [event.step for event in events.Scalars(tag)] == [0, 1, 2, 3]


def test_a_training_killed_between_the_updates_of_a_step_ends_with_the_same_bytes(
    world: Path, tmp_path: Path
) -> None:
    stage = stage_of(world, steps=2, questions_per_update=1)
    assert train(world, tmp_path / "whole", stage) == [0]
    killed = Interruption("after step", 5)  # four updates a step
    assert train(world, tmp_path / "killed", stage, killed) == [-signal.SIGKILL]
    assert kept_steps(tmp_path / "killed") == [1]
    assert train(world, tmp_path / "killed", stage) == [0]
    assert results_of(tmp_path / "killed") == results_of(tmp_path / "whole")


def test_a_damaged_checkpoint_is_passed_over(
    world: Path, whole: dict[str, bytes], stopped: Path
) -> None:
    newest = stopped / "checkpoints" / "step_000003" / "rank_0.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert train(world, stopped, stage_of(world)) == [0]
    assert results_of(stopped) == whole
    said = (stopped / "stderr_0").read_text()
    assert "step_000003: damaged, so it is passed over." in said


def lose_the_number() -> None:
    score = loop.score_reference

    def scored(*arguments: object) -> torch.Tensor:
        lose_the_number.calls += 1  # type: ignore[attr-defined]
        values = score(*arguments)  # type: ignore[arg-type]
        return values * math.nan if lose_the_number.calls == 3 else values  # type: ignore[attr-defined]

    lose_the_number.calls = 0  # type: ignore[attr-defined]
    loop.score_reference = scored  # type: ignore[assignment, attr-defined]


def fill_the_disk(step: int) -> None:
    write_tensors = checkpoint.write_tensors  # type: ignore[attr-defined]

    def written(path: Path, tensors: dict[str, torch.Tensor]) -> str:
        digest = write_tensors(path, tensors)
        if f"step_{step:06d}" in str(path):
            os.truncate(path, 1000)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return digest

    checkpoint.write_tensors = written  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lose_the_number, "step 2, update 1: the loss is nan"),
        (partial(fill_the_disk, 3), "step_000003: cannot be written"),
    ],
)
def test_what_goes_wrong_leaves_the_last_checkpoints_and_nothing_else(
    world: Path, whole: dict[str, bytes], tmp_path: Path, change: object, sentence: str
) -> None:
    assert train(world, tmp_path, stage_of(world), change=change) == [1]  # type: ignore[arg-type]
    assert last_line(tmp_path).startswith("error: ")
    assert sentence in last_line(tmp_path)
    assert "Traceback" not in (tmp_path / "stderr_0").read_text()
    assert kept_steps(tmp_path) == [1, 2]
    assert train(world, tmp_path, stage_of(world)) == [0]
    assert results_of(tmp_path) == whole


def refuse(call: str, name: str) -> None:
    """Let `call` of the operating system fail where a name begins with `name`."""
    allowed = getattr(os, call)

    def refused(path: Any, *others: Any, **options: Any) -> Any:
        if Path(path).name.startswith(name):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return allowed(path, *others, **options)

    setattr(os, call, refused)


@pytest.mark.parametrize(
    ("call", "name"), [("mkdir", ".step_"), ("replace", ".metrics"), ("replace", ".step_")]
)
def test_what_the_first_process_alone_cannot_write_is_said_by_all(
    world: Path, tmp_path: Path, call: str, name: str
) -> None:
    stage = stage_of(world, zero_stage=2, steps=1)
    assert train(world, tmp_path, stage, change=partial(refuse, call, name), processes=2) == [1, 1]
    (said,) = {last_line(tmp_path, rank) for rank in range(2)}
    assert said.startswith(
        f"error: {tmp_path}/checkpoints/step_000001: cannot be written ([Errno 5"
    )


def test_another_run_or_other_inputs_are_refused_by_name(world: Path, stopped: Path) -> None:
    output = stopped
    assert train(world, output, stage_of(world, learning_rate=2e-3)) == [1]
    assert "made with train.learning_rate = 0.001, and the configuration says 0.002" in last_line(
        output
    )
    manifest = output / "checkpoints" / "step_000003" / "manifest.json"
    content = json.loads(manifest.read_text())
    assert set(content["inputs"]) == {"samples", "images", "policy", "segmenter"}
    manifest.write_text(json.dumps(content | {"inputs": content["inputs"] | {"images": "0" * 64}}))
    assert train(world, output, stage_of(world)) == [1]
    assert "made with another content of images; change it back, or remove" in last_line(output)
    manifest.write_text(json.dumps(content | {"processes": 8}))
    assert train(world, output, stage_of(world)) == [1]
    assert "made by 8 processes and cannot go on with 1" in last_line(output)


def test_how_often_a_checkpoint_is_written_is_no_part_of_the_run(
    world: Path, whole: dict[str, bytes], stopped: Path
) -> None:
    assert train(world, stopped, stage_of(world, checkpoint_steps=100)) == [0]
    # Metadata names the configuration; rows and weights are the same.
    assert results_of(stopped)["model.safetensors"] == whole["model.safetensors"]
    rows = read_table(stopped / "metrics.parquet", TRAINING_METRICS).to_pylist()
    assert [row["step"] for row in rows] == [0, 1, 2, 3]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_an_engine_goes_on_from_its_tensors(world: Path, zero_stage: int, dtype: str) -> None:
    stage = stage_of(world, dtype, zero_stage=zero_stage)
    first, save, rollout = start_engine(world, stage)
    for _ in range(2):
        take_step(first, rollout)
    kept = {name: tensor.clone() for name, tensor in first.tensors().items()}
    assert {name.split(".")[1] for name in kept} == {"master", "exp_avg", "exp_avg_sq", "step"}
    take_step(first, rollout)
    again, save_again, _ = start_engine(world, stage)
    again.load_tensors(kept)
    for name, tensor in again.tensors().items():
        assert torch.equal(tensor, kept[name]), name
    take_step(again, rollout)
    assert again.tensors().keys() == kept.keys()
    for name, tensor in again.tensors().items():
        assert torch.equal(tensor, first.tensors()[name]), name
        assert name.endswith(".step") or not torch.equal(tensor, kept[name]), name
    weights, weights_again = save(), save_again()
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)
    with pytest.raises(UserError, match="cut otherwise"):
        again.load_tensors({name: one.flatten()[:1] for name, one in kept.items()})


def test_two_processes_stop_at_one_step_and_go_on(world: Path, tmp_path: Path) -> None:
    stage = stage_of(world, zero_stage=2, steps=2)
    assert train(world, tmp_path / "whole", stage, processes=2) == [0, 0]
    # One of them is asked, in its first step, and the other never.
    asked = Interruption("after score_groups", 0, signal.SIGUSR1, rank=1)
    assert train(world, tmp_path / "stopped", stage, asked, processes=2) == [75, 75]
    assert last_line(tmp_path / "stopped") == last_line(tmp_path / "stopped", 1)
    assert kept_steps(tmp_path / "stopped") == [1]
    assert train(world, tmp_path / "stopped", stage, processes=2) == [0, 0]
    assert results_of(tmp_path / "stopped") == results_of(tmp_path / "whole")
