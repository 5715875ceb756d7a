"""Interrupt a small training at every moment, and take one training on 1, 2 and 4 processes.

The long form of tests/train/test_resume.py and test_processes.py: `make test-long` (a quarter of an
hour). It writes results/reference/resume.md, and fails where anything differs.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from interrupting import (
    Interruption,
    left_over,
    moments_of,
    results_of,
    stage_of,
    train,
)
from recording import Recorded, apart, record, train_on
from setting import made_on
from tqdm import tqdm
from training_world import make_world

STEPS = 3
RECORDED_STEPS = 20
ALLOWED = 1e-5


def kill_everywhere(world: Path, folder: Path) -> str:
    """One training for each moment, killed there and started again; a table by kind of moment."""
    stage = stage_of(world, steps=STEPS)
    assert train(world, folder / "whole", stage) == [0]
    whole = results_of(folder / "whole")
    seen: Counter[str] = Counter()
    cases = []
    for moment in moments_of(folder / "whole"):
        cases.append(Interruption(moment, seen[moment]))
        seen[moment] += 1

    def check(case: Interruption) -> None:
        output = folder / f"{case.moment} {case.nth}"
        assert train(world, output, stage, case) == [-signal.SIGKILL], case
        assert train(world, output, stage) == [0], case
        assert results_of(output) == whole, case
        assert left_over(output) == [], case

    with ThreadPoolExecutor(2) as pool:
        list(tqdm(pool.map(check, cases), total=len(cases), desc="kill", unit="moment"))
    lines = [f"| {moment} | {count} |" for moment, count in seen.items()]
    return "\n".join(["| moment | kills |", "|---|---:|", *lines, f"| all | {len(cases)} |"])


def stop_on_two_processes(world: Path, folder: Path) -> str:
    """Trainings on two processes, one of which gets a signal in each step in turn."""
    lines = ["| ZeRO | format | stopped after step | the same bytes |", "|---:|---|---|---|"]
    cases = [(zero, dtype) for zero in (0, 1, 2, 3) for dtype in ("float32", "bfloat16")]
    for zero, dtype in tqdm(cases, desc="stop", unit="setting"):
        stage = stage_of(world, dtype, zero_stage=zero, steps=STEPS)
        name = f"{zero} {dtype}"
        assert train(world, folder / name, stage, processes=2) == [0, 0]
        output = folder / f"{name} stopped"
        for step in range(STEPS - 1):
            # Each attempt takes one step, and is asked in it.
            asked = Interruption("after score_groups", 0, signal.SIGUSR1, rank=step % 2)
            assert train(world, output, stage, asked, processes=2) == [75, 75], (name, step)
        assert train(world, output, stage, processes=2) == [0, 0]
        assert results_of(output) == results_of(folder / name), name
        lines.append(f"| {zero} | {dtype} | {', '.join(map(str, range(1, STEPS)))} | yes |")
    return "\n".join(lines)


def compare_processes(world: Path, steps: list[Recorded]) -> str:
    """The recorded steps on 1, 2 and 4 processes for each stage, against one without ZeRO."""
    lines = [
        "| ZeRO | processes | weights | losses | KL | gradient norms |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    plain = train_on(world, steps, 0, 1)
    cases = [(zero, processes) for zero in (0, 1, 2, 3) for processes in (1, 2, 4)][1:]
    for zero, processes in tqdm(cases, desc="compare", unit="setting"):
        differences = apart(train_on(world, steps, zero, processes), plain)
        assert max(differences) < ALLOWED, (zero, processes, differences)
        shown = " | ".join(f"{one:.1e}" for one in differences)
        lines.append(f"| {zero} | {processes} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the page to write (Markdown)")
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = folder / "world"
        world.mkdir()
        make_world(world)
        # The longest comes last, so that what fails, fails early.
        compared = compare_processes(world, record(RECORDED_STEPS))
        stops = stop_on_two_processes(world, folder)
        kills = kill_everywhere(world, folder)
    page = PAGE.format(where=made_on(), kills=kills, stops=stops, compared=compared)
    output.write_text(page, encoding="utf-8")


PAGE = """# Interrupted training, and training on several processes

Made by `make test-long` with a policy of two layers and the real loop, engine and command.

{where}.

## Killed at every moment

A training of three steps with a checkpoint a step, killed (SIGKILL) at each of its moments once and
then started again. Every one ended with the policy and the metrics, byte for byte, of the training
that nothing interrupted, and left no checkpoint and no half-written file. A moment is before or
after a call of the function named, or when half of a file's bytes are written.

{kills}

## Stopped by a signal on two processes

One of two processes gets SIGUSR1 in each step in turn, both stop after that step with exit code 75,
and the same command goes on. The end has the bytes of the training that was not stopped.

{stops}

## The same training on 1, 2 and 4 processes

Twenty recorded steps in float32, two updates each, questions in unequally many passes, every fifth
step with three questions only (the fourth process then has none). Differences to one process
without ZeRO: of the weights after the last step, ‖difference‖ / ‖weights‖; of what each step
measured, the largest relative one (of the losses, some of which are next to 0, as a share of the
largest loss). Allowed is 1e-5.

{compared}
"""


if __name__ == "__main__":
    main()
