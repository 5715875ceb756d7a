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

    def finish(self, *, exit_code: int) -> None:
        self.told.append(exit_code)

    # mlflow
    def set_experiment(self, name: str) -> None:
        self.told.append(name)

    def start_run(self, *, run_name: str) -> None:
        self.told.append(run_name)

    def log_params(self, params: dict[str, object]) -> None:
        self.told.append(params)

    def log_metrics(self, metrics: dict[str, float], *, step: int) -> None:
        self.told.append((step, metrics))

    def end_run(self, status: str) -> None:
        self.told.append(status)


def test_event_files_hold_every_number_and_those_of_an_earlier_attempt_go(tmp_path: Path) -> None:
    for rows in (ROWS[:1], ROWS):
        with open_boards(tmp_path, [], "sam_r1/seed_0", CONFIG) as boards:
            for row, timing in rows:
                boards.add_step(row, timing)
    assert len(list(tmp_path.iterdir())) == 1
    events = EventAccumulator(str(tmp_path)).Reload()
    assert sorted(events.Tags()["scalars"]) == ["seconds/rollout", "train/iou"]
    assert [(one.step, one.value) for one in events.Scalars("train/iou")] == [(0, 0.25), (1, 0.5)]


@pytest.fixture
def trackers(monkeypatch: pytest.MonkeyPatch) -> tuple[_Recorder, _Recorder]:
    """What wandb and mlflow are told."""
    found = _Recorder("wandb"), _Recorder("mlflow")
    for one in found:
        monkeypatch.setitem(sys.modules, one.__name__, one)
    return found


def show(failure: Exception | None = None) -> None:
    """What a training of two steps shows, which then ends or fails."""
    with open_boards(None, ["tensorboard", "wandb", "mlflow"], "sam_r1/seed_0", CONFIG) as boards:
        for row, timing in ROWS:
            boards.add_step(row, timing)
        if failure is not None:
            raise failure


def test_trackers_are_told_the_same_as_tensorboard(trackers: tuple[_Recorder, _Recorder]) -> None:
    wandb, mlflow = trackers
    show()
    assert wandb.told == [("samr1", "sam_r1/seed_0", CONFIG), *SHOWN, 0]
    flat = {"name": "sam_r1", "train.steps": 2, "train.lora": None}
    assert mlflow.told == ["samr1", "sam_r1/seed_0", flat, *SHOWN, "FINISHED"]


def test_of_a_training_that_fails_trackers_are_told_so(
    trackers: tuple[_Recorder, _Recorder],
) -> None:
    with pytest.raises(UserError, match="the loss is nan"):
        show(UserError("the loss is nan"))
    assert [one.told[-1] for one in trackers] == [1, "FAILED"]


def test_a_tracker_that_fails_on_the_way_is_said_once_and_costs_nothing_else(
    trackers: tuple[_Recorder, _Recorder], capsys: pytest.CaptureFixture[str]
) -> None:
    wandb, mlflow = trackers

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no way to the server")

    mlflow.log_metrics = refuse  # type: ignore[method-assign]
    wandb.finish = refuse  # type: ignore[method-assign]
    show()
    assert wandb.told[1:] == SHOWN
    assert capsys.readouterr().err.splitlines() == [
        f"log_to: {name} did not take {what} (no way to the server); it is left out from here on, "
        "and the training loses nothing."
        for name, what in (("mlflow", "step 0"), ("wandb", "the end"))
    ]


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
