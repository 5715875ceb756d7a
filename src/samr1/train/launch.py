"""Start a command as several processes of one machine, and end them together.

In place of torchrun, whose report of a failure buries the sentence that a person needs, and which
kills its processes some seconds after a signal, where a step of a 7B model takes minutes. Here a
signal to stop is handed on and waited for; where one process fails the others are killed at once,
and its last line is the last of the log.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO

from samr1.core.errors import Stopped, UserError
from samr1.train.stopping import SIGNALS

_RANK = "RANK"
_ERROR = "error: "  # how `run_command` begins the sentence of a process that fails
_WARNING = re.compile(r"(\[rank\d+\]:)?\[W\d+ ")  # how torch's libraries begin theirs


def is_started() -> bool:
    """Whether a launcher, this one or torchrun, started this process."""
    return _RANK in os.environ


class _Worker:
    """One process, its error line, which is held back for the end, and the last other line.

    What it says while it ends is neither: NCCL warns that its group was not destroyed.
    """

    def __init__(self, command: Sequence[str], rank: int, processes: int, port: int) -> None:
        places = {
            _RANK: rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": processes,
            "LOCAL_WORLD_SIZE": processes,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        self.rank = rank
        self.error = self.last = ""
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # it ends with the launcher: see `end_with_launcher`
            stderr=subprocess.PIPE,
            env=os.environ | {name: str(value) for name, value in places.items()},
        )
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, pipe: IO[bytes]) -> None:
        for line in pipe:
            text = line.decode("utf-8", "replace")
            if text.startswith(_ERROR):
                self.error = text.strip().removeprefix(_ERROR)
                continue
            if text.strip() and not _WARNING.match(text):
                # A progress bar's line holds its earlier states before the carriage returns.
                self.last = text.strip().rsplit("\r", 1)[-1]
            sys.stderr.write(text)
            sys.stderr.flush()

    def finish(self) -> None:
        """Kill it where it still runs, and read what it said."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(timeout=10)


def launch(command: Sequence[str], processes: int) -> None:
    """Run `command` as `processes` processes of one group and wait for them.

    `SIGNALS` are handed on. Raises `Stopped` where they stopped for it, and UserError with the last
    line of the process that failed first.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    workers = [_Worker(command, rank, processes, port) for rank in range(processes)]

    def hand_on(number: int, _: object) -> None:
        for worker in workers:
            if worker.process.poll() is None:
                worker.process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in SIGNALS}
    try:
        failed = _wait(workers)
    finally:
        for worker in workers:
            worker.finish()
        for number, handler in before.items():
            signal.signal(number, handler)
    if failed is not None:
        raise _explain(_find_cause(failed, workers), processes)


def _wait(workers: Sequence[_Worker]) -> _Worker | None:
    """The worker that failed first; None where all end well."""
    while True:
        codes = [worker.process.poll() for worker in workers]
        for worker, code in zip(workers, codes, strict=True):
            if code and (code != Stopped.exit_code or None not in codes):
                return worker
        if None not in codes:
            return None
        time.sleep(0.02)


def _find_cause(failed: _Worker, workers: Sequence[_Worker]) -> _Worker:
    """The worker that said why, where another broke off with it and was gone a moment before."""
    if failed.process.returncode < 0:
        return failed
    return next((one for one in (failed, *workers) if one.error), failed)


def _explain(worker: _Worker, processes: int) -> UserError:
    code = worker.process.returncode
    if code == Stopped.exit_code:
        return Stopped(worker.error)
    who = f"process {worker.rank + 1} of {processes}"
    if worker.error:
        return UserError(f"{who}: {worker.error}")
    if code < 0:
        name = signal.Signals(-code).name
        return UserError(f"{who} was killed by {name}; the others were ended with it.")
    return UserError(f"{who} failed, its traceback stands above: {worker.last}")


def end_with_launcher() -> None:
    """Let this process end where its launcher does, even one that was killed.

    The launcher holds the other end of stdin and never writes.
    """

    def wait() -> None:
        os.read(0, 1)  # not through sys.stdin, whose lock would be held when this process ends
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="end_with_launcher").start()
