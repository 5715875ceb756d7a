"""The cluster's warning, through a Snakemake's shell to the process that has an answer to it."""

from __future__ import annotations

import signal
import subprocess
import sys

# As a training job: it hears the warning, saves, and fails, so that it is tried again.
HEARS = """
import signal, sys
def save(number, frame):
    print("saved", flush=True)
    sys.exit(3)
signal.signal(signal.SIGUSR1, save)
print("ready", flush=True)
signal.pause()
"""
# As a launcher that has no answer to it, above its workers.
LAUNCHER = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', sys.argv[1]]))"
# As the Snakemake of a job's step.
SNAKEMAKE = """
import subprocess, sys
from samr1.core.signals import pass_on_warnings
pass_on_warnings()
command = "trap '' USR1; set -euo pipefail; $0 -c \\"$1\\" \\"$2\\""
sys.exit(subprocess.call(["bash", "-c", command, sys.executable, *sys.argv[1:]]))
"""


def test_a_warning_to_the_first_process_alone_reaches_the_last_and_kills_none_between() -> None:
    command = [sys.executable, "-c", SNAKEMAKE, LAUNCHER, HEARS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.read() == "saved\n"
        assert process.wait(10) == 3
