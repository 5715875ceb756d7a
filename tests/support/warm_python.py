"""A `python` whose processes are forked from this one, with all that it has imported.

Most of a small job is what its interpreter imports.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import runpy
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = Path(__file__).with_name("warm_client.py")
_Process = multiprocessing.get_context("fork").Process


@contextmanager
def warm_python() -> Iterator[str]:
    """The path of that interpreter, which knows `-m <module>` alone."""
    with (
        tempfile.TemporaryDirectory(prefix="warm-") as folder,
        socket.socket(socket.AF_UNIX) as server,
    ):
        address, python = f"{folder}/socket", Path(folder, "python")
        server.bind(address)
        server.listen()
        client = f"'{sys.executable}' -IS '{CLIENT}' '{address}'"
        python.write_text(f'#!/bin/sh\nexec {client} "$@"\n')
        python.chmod(0o755)
        serving = _Process(target=_serve, args=(server,))
        serving.start()
        try:
            yield str(python)
        finally:
            serving.kill()
            serving.join()


def _serve(server: socket.socket) -> None:
    while True:
        asking, _ = server.accept()
        _Process(target=_answer, args=(asking,)).start()
        asking.close()


def _answer(asking: socket.socket) -> None:
    """Run one job, and tell the client how it ended."""
    _, streams, *_ = socket.recv_fds(asking, 1, 3)
    with asking.makefile("rb") as told:
        job = _Process(target=_run, args=(streams, *json.load(told)))
    job.start()
    job.join()
    asking.sendall(str(job.exitcode).encode())


def _run(streams: list[int], words: list[str], folder: str, environment: dict[str, str]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    option, module, *sys.argv[1:] = words
    assert option == "-m", words
    sys.modules.pop(module, None)  # run as __main__, and not as what was imported
    runpy.run_module(module, run_name="__main__", alter_sys=True)
