"""The warning that a cluster gives ten minutes before it ends a job: SIGUSR1.

SLURM gives it to the first process of the job's step, which is a Snakemake: it would die of it and
take the job along.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType

import psutil

WARNING = signal.SIGUSR1


def pass_on_warnings() -> None:
    """From now on hand SIGUSR1 to all processes below this one, instead of dying of it."""
    signal.signal(WARNING, _pass_on)


def _pass_on(number: int, frame: FrameType | None) -> None:
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            process.send_signal(number)
