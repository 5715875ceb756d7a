"""What is shown of a training elsewhere: TensorBoard's files, and trackers that are asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from samr1.config.names import Tracker
from samr1.core.errors import UserError
from samr1.train.boards import open_boards

ROWS = [
    ({"step": 0, "iou": 0.25}, {"step": 0, "rollout": 1.5}),
    ({"step": 1, "iou": 0.5}, {"step": 1, "rollout": 2.0}),
]
SHOWN = [
    (0, {"train/iou": 0.25, "seconds/rollout": 1.5}),
    (1, {"train/iou": 0.5, "seconds/rollout": 2.0}),
]
CONFIG = {"name": "sam_r1", "train": {"steps": 2, "lora": None}}


class _Recorder(ModuleType):
    """A tracker as its module looks from outside: what it was told."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.told: list[object] = []

    # wandb
    def init(self, *, project: str, name: str, config: dict[str, object]) -> _Recorder:
        self.told.append((project, name, config))
        return self

    def log(self, numbers: dict[str, float], *, step: int) -> None:
        self.told.append((step, numbers))

    def finish(self) -> None:
        self.told.append("end")

    # mlflow
    def set_experiment(self, name: str) -> None:
        self.told.append(name)

    def start_run(self, *, run_name: str) -> None:
        self.told.append(run_name)

    def log_params(self, params: dict[str, object]) -> None:
        self.told.append(params)

    def log_metrics(self, metrics: dict[str, float], *, step: int) -> None:
        self.told.append((step, metrics))

    def end_run(self) -> None:
        self.told.append("end")


def test_event_files_hold_every_number_and_those_of_an_earlier_attempt_go(tmp_path: Path) -> None:
    for rows in (ROWS[:1], ROWS):
        boards = open_boards(tmp_path, [], "sam_r1/seed_0", CONFIG)
        for row, timing in rows:
            boards.add_step(row, timing)
        boards.close()
    assert len(list(tmp_path.iterdir())) == 1
    events = EventAccumulator(str(tmp_path)).Reload()
    assert sorted(events.Tags()["scalars"]) == ["seconds/rollout", "train/iou"]
    assert [(one.step, one.value) for one in events.Scalars("train/iou")] == [(0, 0.25), (1, 0.5)]


def test_trackers_are_told_the_same_as_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb, mlflow = _Recorder("wandb"), _Recorder("mlflow")
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    boards = open_boards(None, ["tensorboard", "wandb", "mlflow"], "sam_r1/seed_0", CONFIG)
    for row, timing in ROWS:
        boards.add_step(row, timing)
    boards.close()
    assert wandb.told == [("samr1", "sam_r1/seed_0", CONFIG), *SHOWN, "end"]
    flat = {"name": "sam_r1", "train.steps": 2, "train.lora": None}
    assert mlflow.told == ["samr1", "sam_r1/seed_0", flat, *SHOWN, "end"]


@pytest.mark.parametrize(("name", "package"), [("wandb", "wandb"), ("mlflow", "mlflow-skinny")])
def test_one_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, name: Tracker, package: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    told = rf"^log_to: {name} is not installed.*; pip install {package}"
    with pytest.raises(UserError, match=told):
        open_boards(None, [name], "sam_r1/seed_0", CONFIG)


def test_one_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = _Recorder("wandb")

    def refuse(**_: object) -> None:
        raise OSError("no address given")

    wandb.init = refuse  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    with pytest.raises(UserError, match=r"wandb does not take the run \(no address given\)"):
        open_boards(None, ["wandb"], "sam_r1/seed_0", CONFIG)
