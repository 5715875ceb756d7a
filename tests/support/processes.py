"""Processes of one training, on loopback, as its launcher would start them."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch


def fork(work: Callable[..., None], *arguments: Any) -> multiprocessing.process.BaseProcess:
    """A process that is starting `work`, forked from one that has imported all it needs."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["preloaded"])
    with pytest.MonkeyPatch.context() as patch:
        # Where the server, which starts with the first process, finds the modules of the tests.
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process = context.Process(target=work, args=arguments)
        process.start()
    return process


def find_port() -> int:
    """A port of loopback on which nobody listens, for the processes to meet at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def take_place(rank: int, processes: int, port: int) -> None:
    """Make this process the one of that rank, with one thread."""
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in places.items()})
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    torch.set_num_threads(1)


def wait_until(true: Callable[[], bool]) -> None:
    """Look again and again, for a minute at most, until it is `true`."""
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to be")
