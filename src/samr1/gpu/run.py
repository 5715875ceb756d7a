"""All stages one after another, each in a process of its own and within its share of the time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from samr1.gpu.findings import Finding
from samr1.gpu.setting import Size

_LEAST = 0.5  # of its own seconds: with less left a stage is not begun
_ENDING = 5.0  # seconds for the last page, and for processes to be killed
_LOG_LINES = 20  # of a process that died without a word
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1"}  # nothing is fetched, not even where there is a network

NO_CARD = "No GPU: a CPU run"

State = Literal["done", "failed", "stopped", "skipped"]


@dataclass(frozen=True)
class Stage:
    """A module whose `look` yields findings, and the seconds of eight minutes that are its own."""

    module: str
    what: str
    seconds: float

    @property
    def name(self) -> str:
        return self.module.rpartition(".")[2]


# What a stage leaves of its seconds is the next ones'; none takes of what comes after it.
STAGES = (
    Stage("samr1.gpu.stages.machine", "The machine", 40),
    Stage("samr1.gpu.stages.attention", "Attention over packed rows", 100),
    Stage("samr1.gpu.stages.vision", "The vision tower", 25),
    Stage("samr1.gpu.stages.agreement", "Decoding against the packed pass", 65),
    Stage("samr1.gpu.stages.decoding", "Milliseconds a token", 50),
    Stage("samr1.gpu.stages.segmenter", "SAM 2", 35),
    Stage("samr1.gpu.stages.update", "Reference and update", 85),
    Stage("samr1.gpu.stages.training", "Two training steps", 80),
)


@dataclass
class Outcome:
    """What became of a stage."""

    name: str
    what: str
    state: State
    seconds: float = 0.0
    reason: str = ""
    traceback: str = ""
    findings: list[Finding] = field(default_factory=list)


@dataclass
class Report:
    """What the JSON holds; `rates` are what the plan can take from it."""

    size: Size
    minutes: float
    started: str  # date and time, UTC
    seconds: float = 0.0
    stages: list[Outcome] = field(default_factory=list)
    rates: dict[str, Any] = field(default_factory=dict)

    @property
    def card(self) -> str:
        """The card's name; `NO_CARD` where there is none."""
        unknown = "A GPU" if self.size == "7b" else NO_CARD
        return str(self.figures().get("machine.card") or unknown)

    def figures(self) -> dict[str, Any]:
        """What was found, by its key."""
        return {one.key: one.value for stage in self.stages for one in stage.findings}

    def missed(self) -> list[Finding]:
        """The bars that were not reached."""
        return [one for stage in self.stages for one in stage.findings if one.passed is False]

    def unfinished(self) -> list[Outcome]:
        """The stages that did not come to their end."""
        return [stage for stage in self.stages if stage.state != "done"]


def run_stages(
    size: Size, minutes: float, log: Path, begin: float, keep: Callable[[Report], None]
) -> Report:
    """Run all stages, calling `keep` with the report after each.

    `begin` is when the time began to count (`time.monotonic`). What went by since is taken from all
    stages alike: a disk that is read for the first time may take half a minute for the imports.
    What the processes print goes to `log`.
    """
    started = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    report = Report(size, minutes, started)
    deadline = time.monotonic()
    left = begin + 60 * minutes - _ENDING - deadline
    scale = left / sum(stage.seconds for stage in STAGES)
    for stage in STAGES:
        deadline += scale * stage.seconds
        left = deadline - time.monotonic()
        if left < _LEAST * scale * stage.seconds:
            reason = f"{max(left, 0):.0f} s were left for it"
            outcome = Outcome(stage.name, stage.what, "skipped", reason=reason)
        else:
            outcome = run_stage(stage, size, log, deadline)
        report.stages.append(outcome)
        report.seconds = time.monotonic() - begin
        keep(report)
    return report


def run_stage(stage: Stage, size: Size, log: Path, deadline: float) -> Outcome:
    """Run `stage` until it ends or `deadline` (`time.monotonic`) is there; it is then killed."""
    outcome = Outcome(stage.name, stage.what, "done")
    begin = time.monotonic()
    lines = log.with_name(f".{stage.name}.jsonl")
    lines.unlink(missing_ok=True)
    command = [sys.executable, "-m", "samr1.gpu.worker", stage.module, size, str(lines)]
    with log.open("ab") as output:
        start = output.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # it ends with this process: see `end_with_launcher`
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | _ENVIRONMENT,
            start_new_session=True,  # with the compilers that it starts
        )
        try:
            process.wait(timeout=max(deadline - begin, 0))
        except subprocess.TimeoutExpired:
            outcome.state = "stopped"
            outcome.reason = f"its time was over after {deadline - begin:.0f} s"
        finally:
            _end(process)
    _read(outcome, lines)
    lines.unlink(missing_ok=True)
    if process.returncode and outcome.state == "done":
        outcome.state, outcome.reason = "failed", f"ended with {process.returncode}"
        with log.open("rb") as output:
            output.seek(start)
            said = output.read().decode("utf-8", "replace").splitlines()
        outcome.traceback = "\n".join(said[-_LOG_LINES:])
    outcome.seconds = time.monotonic() - begin
    return outcome


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and of those that it started."""
    with suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    with process:  # closes its stdin and waits
        pass


def _read(outcome: Outcome, lines: Path) -> None:
    """Add what the worker wrote: its findings, and what it raised."""
    if not lines.is_file():
        return
    for line in lines.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # cut off when the process was killed
        if "traceback" in entry:
            outcome.state = "failed"
            outcome.reason, outcome.traceback = entry["error"], entry["traceback"]
        else:
            outcome.findings.append(Finding(**entry))


def to_json(report: Report) -> str:
    """The report as JSON text."""
    return json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"
