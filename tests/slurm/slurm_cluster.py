"""A real SLURM of one node: munged, slurmctld and slurmd as plain processes in a temporary folder.

Nothing outside the folder is written but by the installation, and only loopback is used. As a
command it installs what is missing, or says why that cannot be and fails.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import debian_packages
from debian_packages import PATH

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")

# SLURM believes what it is told of the node, and so takes the jobs of the profile as they are.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=30
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=64 RealMemory=600000 Gres=gpu:8
PartitionName=gpu Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


def install() -> str | None:
    """Install SLURM and munge from the system's packages where they are missing.

    Says in a few words why that, or running them, is not possible here.
    """
    if os.geteuid() != 0:
        return "slurmd needs root"
    return debian_packages.install(PROGRAMS, ["slurm-wlm", "munge"])


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start a cluster whose files are in `folder`, and stop it.

    Gives the environment in which `sbatch` and the others find it. Raises RuntimeError with the
    daemons' logs where the node is not idle within half a minute.
    """
    host = socket.gethostname().split(".")[0]
    controller, node = _free_ports(2)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(host=host, controller=controller, node=node, folder=folder)
    )
    (folder / "gres.conf").write_text(f"NodeName=node Name=gpu File={folder}/gpu[0-7]\n")
    for number in range(8):
        (folder / f"gpu{number}").touch()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    munged = [
        "munged",
        "--foreground",
        "--force",
        f"--key-file={key}",
        f"--seed-file={folder}/seed",
    ]
    munged += [f"--{name}={folder}/munge.{name}" for name in ("socket", "pid-file", "log-file")]
    # Snakemake's job step takes every SLURM_* from srun, which then looks in /etc/slurm.
    srun = folder / "bin" / "srun"
    srun.parent.mkdir()
    real = shutil.which("srun", path=PATH)
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {real} "$@"\n')
    srun.chmod(0o755)
    path = f"{srun.parent}{os.pathsep}{PATH}"
    environment = os.environ | {"SLURM_CONF": str(configuration), "PATH": path}
    with ExitStack() as daemons:
        for command in (munged, ["slurmctld", "-D"], ["slurmd", "-D", "-N", "node"]):
            daemons.enter_context(_daemon(command, environment, folder))
        _wait_for_idle(environment, folder)
        try:
            yield environment
        finally:  # a job outlives slurmd
            _end_jobs(environment)
            _end_orphans(configuration)


@contextmanager
def _daemon(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_idle(environment: dict[str, str], folder: Path) -> None:
    """Return when the node takes jobs."""
    for _ in range(150):
        states = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if states.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(f"{path}:\n{path.read_text()}" for path in sorted(folder.glob("*.log")))
    raise RuntimeError(f"the SLURM node is not idle: {states.stdout}{states.stderr}\n{logs}")


def _end_jobs(environment: dict[str, str]) -> None:
    """Kill the jobs that still run, and return when they are gone."""
    kill = ["scancel", "--full", "--signal=KILL", "--user=root"]
    for command in (kill, ["scancel", "--user=root"]):
        subprocess.run(command, env=environment, check=False)
    for _ in range(50):
        left = subprocess.run(
            ["squeue", "--noheader", "--states=R,CG"], env=environment, capture_output=True
        )
        if not left.stdout:
            return
        time.sleep(0.2)


def _end_orphans(configuration: Path) -> None:
    """Kill what a cancelled job left: without its parent a process is out of linuxproc's sight."""
    conf = f"SLURM_CONF={configuration}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            names = environ.read_bytes().split(b"\0")
        except OSError:
            continue
        if conf in names and any(name.startswith(b"SLURM_JOB_ID=") for name in names):
            with suppress(ProcessLookupError):
                os.kill(int(environ.parent.name), signal.SIGKILL)


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


if __name__ == "__main__":
    if reason := install():
        sys.exit(reason)
