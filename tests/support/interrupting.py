"""Trainings in processes of their own, which end where a test wants: at one of many named moments.

The moments are before and after everything that a step or a checkpoint does, and in the middle of
the writing of a file.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from commands import exit_code
from processes import find_port, fork, take_place
from training_world import command_line, make_stage

from samr1.cli import train_policy as command
from samr1.config.schema import TrainStage
from samr1.train import checkpoint, loop, step

# Where a process can be interrupted: the functions of a step, of a checkpoint, and of the end.
PLACES: tuple[tuple[Any, str], ...] = (
    (loop, "roll_out"),
    (loop, "score_groups"),
    (loop, "update"),
    (step.Engine, "step"),
    (checkpoint, "hash_file"),
    (checkpoint, "write_table"),
    (checkpoint.Path, "write_text"),
    (checkpoint.shutil, "rmtree"),
    (os, "replace"),
    (loop, "save_policy"),
    (command, "write_table"),
)


@dataclass(frozen=True)
class Interruption:
    """What happens to the process of one rank when it comes to a moment for the `nth` time."""

    moment: str
    nth: int = 0
    signal: int = signal.SIGKILL
    rank: int = 0


def stage_of(world: Path, dtype: str = "float32", **train: Any) -> TrainStage:
    stage = make_stage(world, **{"steps": 4} | train)
    return stage.model_copy(update={"policy": stage.policy.model_copy(update={"dtype": dtype})})


def train(
    world: Path,
    output: Path,
    stage: TrainStage,
    interruption: Interruption | None = None,
    processes: int = 1,
    change: Callable[[], None] | None = None,
) -> list[int]:
    """The exit codes of the processes of one attempt; negative where a signal ended one.

    After a killed one its companions are killed, as the launcher does. stderr goes to
    `output`/stderr_<rank>. `change` is called in each process before it trains.
    """
    output.mkdir(exist_ok=True)
    (output / "config.yaml").write_text(yaml.safe_dump(stage.model_dump(mode="json")))
    port = find_port()
    workers = [
        fork(_work, world, output, rank, processes, port, interruption, change)
        for rank in range(processes)
    ]
    end = time.monotonic() + 300
    while any(worker.exitcode is None for worker in workers) and time.monotonic() < end:
        if any(worker.exitcode not in (None, 0, 75) for worker in workers):
            break
        time.sleep(0.05)
    for worker in workers:
        worker.kill()
        worker.join()
    return [int(worker.exitcode) for worker in workers]  # type: ignore[arg-type]


def _work(
    world: Path,
    output: Path,
    rank: int,
    processes: int,
    port: int,
    interruption: Interruption | None,
    change: Callable[[], None] | None,
) -> None:
    said = os.open(output / f"stderr_{rank}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(said, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if processes > 1:
        take_place(rank, processes, port)
    torch.set_num_threads(1)
    seen: Counter[str] = Counter()
    names = (output / f"moments_{rank}").open("w", buffering=1)

    def moment(name: str) -> None:
        names.write(f"{name}\n")
        if interruption and interruption.rank == rank and interruption.moment == name:
            if seen[name] == interruption.nth:
                os.kill(os.getpid(), interruption.signal)
            seen[name] += 1

    for place, name in PLACES:
        setattr(place, name, _around(getattr(place, name), name, moment))
    checkpoint.write_tensors = _halting(checkpoint.write_tensors, moment)  # type: ignore[attr-defined]
    if change is not None:
        change()
    sys.exit(exit_code(command.main, **command_line(world, output, output / "config.yaml")))


def _around(
    function: Callable[..., Any], name: str, moment: Callable[[str], None]
) -> Callable[..., Any]:
    def called(*arguments: Any, **options: Any) -> Any:
        moment(f"before {name}")
        result = function(*arguments, **options)
        moment(f"after {name}")
        return result

    return called


def _halting(
    write_tensors: Callable[..., Any], moment: Callable[[str], None]
) -> Callable[..., Any]:
    """`write_tensors` with a moment in which half of the file is there."""

    def called(path: Path, tensors: dict[str, Any]) -> Any:
        digest = write_tensors(path, tensors)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        moment("half of write_tensors")
        path.write_bytes(whole)
        return digest

    return called


def results_of(output: Path) -> dict[str, bytes]:
    """The bytes of everything that must not depend on interruptions."""
    files = [output / "metrics.parquet", *sorted((output / "policy").iterdir())]
    return {path.name: path.read_bytes() for path in files}


def left_over(output: Path) -> list[str]:
    """What a finished training should not leave."""
    return [str(p) for p in output.rglob("*") if ".part-" in p.name or p.name == "checkpoints"]


def kept_steps(output: Path) -> list[int]:
    """The steps of the checkpoints that have their name, in order."""
    return sorted(int(path.name[5:]) for path in (output / "checkpoints").glob("step_*"))


def last_line(output: Path, rank: int = 0) -> str:
    return (output / f"stderr_{rank}").read_text().strip().splitlines()[-1]


def moments_of(output: Path, rank: int = 0) -> list[str]:
    """The names of the moments of the last attempt, up to the one that ended it."""
    return (output / f"moments_{rank}").read_text().splitlines()
