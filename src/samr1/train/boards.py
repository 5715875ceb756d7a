"""Where a training's metrics are shown while it runs: TensorBoard, and what else is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from samr1.config.names import Tracker
from samr1.core.errors import UserError, refusing, say

Numbers = dict[str, float]

# mlflow's own package would put an older pyarrow in the place of the locked one; of the lighter one
# alembic is what a database needs, which a run goes into where MLFLOW_TRACKING_URI names no server.
_PACKAGES: dict[Tracker, str] = {"wandb": "wandb", "mlflow": "mlflow-skinny alembic"}


class Board(Protocol):
    """Takes a step's numbers as they come."""

    name: Tracker

    def add_step(self, step: int, numbers: Numbers) -> None:
        """Show `numbers`, named `section/name`, at `step`."""

    def close(self, failed: bool) -> None:
        """Write what is left of a training that came to its end or `failed`."""


class Boards:
    """All boards of a training while it is open; none in a process that does not write.

    They only show it: one that raises is said and left out from then on, and the training goes on.
    """

    def __init__(self, boards: Sequence[Board]) -> None:
        self._boards = list(boards)

    def __enter__(self) -> Boards:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close them all, of a training that failed where an exception comes through."""
        self._tell("the end", lambda board: board.close(error is not None))

    def add_step(self, row: Mapping[str, float], timing: Mapping[str, float]) -> None:
        """Add every number of a step's two rows, under `train` and `seconds`."""
        numbers = {
            f"{section}/{name}": value
            for section, values in (("train", row), ("seconds", timing))
            for name, value in values.items()
            if name != "step"
        }
        step = int(row["step"])
        self._tell(f"step {step}", lambda board: board.add_step(step, numbers))

    def _tell(self, what: str, tell: Callable[[Board], None]) -> None:
        for board in [*self._boards]:
            try:
                with refusing(
                    f"log_to: {board.name} did not take {what}",
                    "it is left out from here on, and the training loses nothing",
                ):
                    tell(board)
            except UserError as error:
                say(f"{error}")
                self._boards.remove(board)


def open_boards(
    tensorboard: Path | None, log_to: Sequence[Tracker], run: str, config: Mapping[str, Any]
) -> Boards:
    """TensorBoard's event files in a folder, if given, named in `log_to` or not; and one run called
    `run` at each of the others there.

    `config` is what a tracker shows as the run's settings. Raises UserError where a tracker is not
    installed or does not take the run: at the start, before the first step.
    """
    boards: list[Board] = [] if tensorboard is None else [_TensorBoard(tensorboard)]
    if "wandb" in log_to:
        boards.append(_Wandb(run, config))
    if "mlflow" in log_to:
        boards.append(_Mlflow(run, config))
    return Boards(boards)


def _import_tracker(name: Tracker) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"log_to: {name} is not installed, and not part of the locked environment; "
            f"pip install {_PACKAGES[name]}, or leave it out."
        ) from error


_OURS = ".samr1"  # how the names of our event files end: only these are removed


class _TensorBoard:
    name: Tracker = "tensorboard"

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and not always used

        for old in folder.glob(f"events.out.tfevents.*{_OURS}"):
            old.unlink()  # of an earlier attempt, whose steps are added again from its rows
        self._writer = SummaryWriter(folder, filename_suffix=_OURS)

    def add_step(self, step: int, numbers: Numbers) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self, failed: bool) -> None:
        self._writer.close()


# An attempt that goes on with a training begins a run of its own there, with all of its steps:
# neither tracker takes a step twice.


class _Wandb:
    name: Tracker = "wandb"

    def __init__(self, run: str, config: Mapping[str, Any]) -> None:
        wandb = _import_tracker("wandb")
        with refusing("log_to: wandb does not take the run", "log in, or set WANDB_MODE=offline"):
            self._run = wandb.init(project="samr1", name=run, config=dict(config))

    def add_step(self, step: int, numbers: Numbers) -> None:
        self._run.log(numbers, step=step)

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


class _Mlflow:
    name: Tracker = "mlflow"

    def __init__(self, run: str, config: Mapping[str, Any]) -> None:
        self._mlflow = _import_tracker("mlflow")
        with refusing("log_to: mlflow does not take the run", "look at MLFLOW_TRACKING_URI"):
            self._mlflow.set_experiment("samr1")
            self._mlflow.start_run(run_name=run)
            self._mlflow.log_params(_flat(config))

    def add_step(self, step: int, numbers: Numbers) -> None:
        self._mlflow.log_metrics(numbers, step=step)

    def close(self, failed: bool) -> None:
        self._mlflow.end_run("FAILED" if failed else "FINISHED")


def _flat(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """`config` with `outer.inner` for names, since mlflow shows one level alone."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        path = f"{above}{name}"
        flat.update(_flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return flat
