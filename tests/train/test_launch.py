"""Two processes end together: one that fails or is killed, both asked, or a launcher that dies."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import wait_until

from samr1.core.errors import Stopped, UserError
from samr1.train.launch import launch

LAUNCH = """
import sys
from samr1.core.errors import run_command
from samr1.train.launch import launch
run_command(lambda: launch([sys.executable, "-c", *sys.argv[1:]], 2))
"""
FAIL_ON_ONE = """
import sys, time
import torch.distributed as dist
from samr1.core.errors import UserError, run_command
def main():
    dist.init_process_group("gloo")
    if dist.get_rank() == 1:
        raise UserError("row 7 of samples.parquet has no mask; index it again.")
    print("working", file=sys.stderr)
    dist.barrier()
    time.sleep(300)
run_command(main)
"""


def test_one_failing_process_ends_both_and_has_the_last_word() -> None:
    command = [sys.executable, "-c", LAUNCH, FAIL_ON_ONE]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "working" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "error: process 2 of 2: row 7 of samples.parquet has no mask; index it again."
    )
    assert done.stderr.count("row 7") == 1


@pytest.mark.parametrize("failure", ["UserError", "Stopped", "RuntimeError"])
def test_what_nccl_says_while_a_process_ends_does_not_hide_why(failure: str) -> None:
    script = f"""
import atexit
from samr1.core.errors import Stopped, UserError, run_command, say
atexit.register(say, "[rank0]:[W1014 18:38:25.3 ProcessGroupNCCL.cpp:1538] Warning: not destroyed")
def main():
    raise {failure}("row 7 has no mask.")
run_command(main)
"""
    with pytest.raises(UserError, match=r"row 7 has no mask\.$"):
        launch([sys.executable, "-c", script], 2)


@pytest.mark.parametrize("failure", ["UserError", "RuntimeError"])
def test_a_process_that_fails_does_not_wait_for_what_libraries_do_at_the_end(failure: str) -> None:
    script = f"""
import atexit, threading, time
from samr1.core.errors import UserError, run_command
atexit.register(time.sleep, 300)
def main():
    raise {failure}("row 7 has no mask.")
run_command(main, at_once=True)
"""
    started = time.monotonic()
    with pytest.raises(UserError, match=r"row 7 has no mask\.$"):
        launch([sys.executable, "-c", script], 2)
    assert time.monotonic() - started < 60


WAIT_FOR_A_SIGNAL = """
import os, signal, sys, time
from pathlib import Path
from samr1.core.errors import Stopped, run_command
from samr1.train.stopping import watch_signals
def main():
    with watch_signals() as asked:
        Path(sys.argv[1], os.environ["RANK"]).touch()
        if os.environ["RANK"] == "0":
            while not Path(sys.argv[1], "1").exists():
                time.sleep(0.05)
            os.kill(os.getppid(), signal.SIGINT)
        while asked.name is None:
            time.sleep(0.05)
    raise Stopped(f"{asked.name} stopped it.")
run_command(main)
"""


def test_a_signal_is_handed_on_and_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"^SIGINT stopped it\.$"):
        launch([sys.executable, "-c", WAIT_FOR_A_SIGNAL, str(tmp_path)], 2)


OUTLIVE = """
import os, sys, time
from pathlib import Path
from samr1.train.launch import end_with_launcher
end_with_launcher()
Path(sys.argv[1], os.environ["RANK"]).write_text(str(os.getpid()))
time.sleep(300)
"""


def test_no_process_outlives_its_launcher(tmp_path: Path) -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCH, OUTLIVE, str(tmp_path)])
    wait_until(lambda: all((tmp_path / rank).is_file() for rank in "01"))
    launcher.kill()
    launcher.wait()
    for rank in "01":
        status = Path("/proc", (tmp_path / rank).read_text(), "stat")
        wait_until(lambda status=status: not status.exists() or " Z " in status.read_text())


def test_a_killed_process_is_named() -> None:
    script = "import os, time; os.environ['RANK'] == '0' or os.kill(os.getpid(), 9); time.sleep(60)"
    with pytest.raises(UserError, match="process 2 of 2 was killed by SIGKILL"):
        launch([sys.executable, "-c", script], 2)
