"""Snakemake on the test's SLURM: its settings, started, watched, and asked for its jobs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edited_settings import edit
from snakemake_calls import ROOT

STEPS = 6  # of a training: enough to be stopped in twice


def write_options(folder: Path) -> list[str]:
    """The smoke scale, a job a benchmark and trainings of `STEPS` steps; results go to `folder`."""
    settings = folder / "config"
    shutil.copytree(ROOT / "config", settings)

    def longer(scale: dict[str, Any]) -> dict[str, Any]:
        scale["defaults"]["train"]["steps"] = STEPS
        return scale | {"evaluated_together": "benchmark"}

    edit(settings / "scales" / "smoke.yaml", longer)
    return ["--config", "scale=smoke", f"results={folder}", f"config_dir={settings}"]


def start(environment: dict[str, str], log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start Snakemake in the repository's root, with what it says in `log`."""
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )


def through_slurm(tmp_path: Path) -> list[str]:
    """The profile as it is, asking often."""
    return [
        *("--workflow-profile", "workflow/profiles/slurm", "--slurm-status-command", "squeue"),
        *("--slurm-init-seconds-before-status-checks", "1"),
        *("--seconds-between-status-checks", "1", "--latency-wait", "5"),
        *("--slurm-logdir", str(tmp_path / "slurm_logs")),
    ]


def wait_for(
    what: Callable[[], object], snakemake: subprocess.Popen[bytes], log: Path, seconds: float
) -> None:
    """Return when `what` holds; fail where Snakemake ended before, or it takes too long."""
    end = time.monotonic() + seconds
    while not what():
        assert snakemake.poll() is None and time.monotonic() < end, log.read_text()[-5000:]
        time.sleep(0.1)


def slurm_jobs(log: Path, rule: str, wildcards: str = "") -> list[str]:
    """The SLURM jobs that a Snakemake submitted for one rule (and its `wildcards`), in order."""
    pattern = rf"SLURM jobid (\d+) \(log: \S*/rule_{rule}/{wildcards}"
    return re.findall(pattern, log.read_text())
