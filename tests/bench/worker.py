"""Two trainers in turn: each keeps its model in a process of its own and takes a step when told.

So both are measured on the same machine in the same minutes, neither sees the other's libraries or
memory, and the one that waits does nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO


def open_answers() -> TextIO:
    """Standard output for answers alone; what libraries print there goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def answer(answers: TextIO, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def serve(answers: TextIO, hello: dict[str, Any], step: Callable[[], dict[str, Any]]) -> None:
    """Say `hello`, then answer every line of standard input with what `step` returns."""
    answer(answers, hello)
    for _ in sys.stdin:
        answer(answers, step())


class Worker:
    """A process that `serve`s; `hello` is its first answer."""

    def __init__(self, command: Sequence[str], threads: int) -> None:
        self._command = list(command)
        # In the environment as well: libraries start their thread pools before a script runs.
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
        self.hello = self._read()

    def step(self) -> dict[str, Any]:
        """Have one step taken and return what the process measured."""
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._command} ended with {self._process.wait()}")
        value: dict[str, Any] = json.loads(line)
        return value

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
