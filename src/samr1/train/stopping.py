"""Being asked to stop: a signal only leaves a note, which the loop reads between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

# SLURM sends SIGUSR1 ahead of its time limit where it was told to, and SIGTERM at the limit; Ctrl-C
# is SIGINT.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@dataclass
class StopRequest:
    """Which signal asked this process to stop; None where none did."""

    name: str | None = None


@contextmanager
def watch_signals() -> Iterator[StopRequest]:
    """While it is open, `SIGNALS` are noted and do nothing else."""
    asked = StopRequest()

    def note(number: int, _: FrameType | None) -> None:
        asked.name = signal.Signals(number).name

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
