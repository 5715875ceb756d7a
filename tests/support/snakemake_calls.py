"""Snakemake as the tests call it in the repository's root, and settings and files around it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from edited_settings import copy_settings
from processes import fork
from snakemake import cli
from snakemake.executors import touch
from warm_python import warm_python

ROOT = Path(__file__).parents[2]
SCALE = "smoke"  # of the workflows that tests run


@dataclass(frozen=True)
class Said:
    """How a Snakemake ended, what it said, messages and all, and how long it took (seconds)."""

    code: int
    text: str
    seconds: float


def snakemake(*arguments: str, checkout: Path = ROOT, python: Path | None = None) -> Said:
    """Run Snakemake in the repository's root, or in that of a copy; by `python`, or one in which
    all is imported already."""
    begin = time.perf_counter()
    with tempfile.NamedTemporaryFile("r") as said:
        process = fork(_snakemake, arguments, checkout, said.name, python)
        process.join()
        return Said(int(process.exitcode or 0), said.read(), time.perf_counter() - begin)


def _snakemake(arguments: tuple[str, ...], checkout: Path, said: str, python: Path | None) -> None:
    """What the command does, forked from a process that has imported it: half of a dry run."""
    file = os.open(said, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(checkout)
    os.environ["OMP_NUM_THREADS"] = "1"
    touch.Executor.SLEEPING_TIME = 0.001  # seconds between jobs, of which there are hundreds
    try:
        with nullcontext(str(python)) if python else warm_python() as sys.executable:
            cli.main(list(arguments))
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)  # what still waits, seconds, is to look whether more jobs may begin


def list_jobs(output: str) -> dict[str, int]:
    """How many jobs of each rule a dry run announces."""
    table = output.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def planned(*arguments: str, checkout: Path = ROOT) -> dict[str, int]:
    """The jobs of a dry run."""
    done = snakemake(*arguments, "--dry-run", "--quiet", "rules", checkout=checkout)
    assert done.code == 0, done.text
    return {} if "Nothing to be done" in done.text else list_jobs(done.text)


def pretend(*arguments: str) -> None:
    """Let Snakemake believe that all was made; configurations are, and other files are empty."""
    plan = snakemake(*arguments, "--dry-run")
    assert plan.code == 0, plan.text
    outputs = re.findall(r"^    output: (.*)$", plan.text, re.M)
    made = {Path(file.split()[0]) for line in outputs for file in line.split(", ")}
    configs = [str(path) for path in made if path.suffix == ".yaml"]
    told = arguments[arguments.index("--config") :]
    done = snakemake("--cores", "1", *configs, *told)
    assert done.code == 0, done.text
    for path in made:
        if path.suffix in (".parquet", ".json", ".md", ".html", ".pdf", ".png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        elif path.suffix != ".yaml":
            path.mkdir(parents=True, exist_ok=True)
    done = snakemake("--touch", "--forceall", "--cores", "1", *arguments)
    assert done.code == 0, done.text


def options(results: Path, settings: Path | str = "config", scale: str = SCALE) -> list[str]:
    """The configuration of one workflow: where it writes, and what settings it reads."""
    return ["--config", f"scale={scale}", f"results={results}", f"config_dir={settings}"]


def changed_settings(folder: Path, file: str, *path: str, value: object) -> Path:
    """A copy of the settings with one value changed."""
    return copy_settings(folder / "config")(file, "/".join(path), value)


def read_files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below `folder`, by its path there; of a file, its own."""
    if folder.is_file():
        return {folder.name: folder.read_bytes()}
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
