"""The whole smoke workflow through SLURM, a training ended twice in its middle, and without SLURM.

Both must give the same bytes. Writes the page of what was seen (`make test-long`).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from setting import made_on
from slurm_cluster import slurm_cluster
from snakemake_calls import read_files
from through_slurm import slurm_jobs, start, through_slurm, wait_for, write_options

from samr1.core.files import atomic_file
from samr1.report.tables.markdown import aligned_table

KINDS = (
    "config",
    "samples",
    "images_84",
    "policies",
    "training",
    "predictions",
    "overlaps",
    "metrics",
)
LIMIT = 3600  # seconds for all of it
AT_ONCE = "4"  # jobs: the node claims more cores than this machine has


def run_here(folder: Path) -> float:
    """Everything on this machine's cores; the seconds that it took."""
    log, begin = folder / "snakemake.log", time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if start(environment, log, "--cores", "2", *write_options(folder)).wait(LIMIT):
        sys.exit(log.read_text()[-5000:])
    return time.perf_counter() - begin


def run_through_slurm(folder: Path, environment: Mapping[str, str]) -> tuple[float, list[str]]:
    """Everything through SLURM; the seconds, and the jobs of the training that was ended twice."""
    log, begin = folder / "snakemake.log", time.perf_counter()
    options = [*through_slurm(folder), "--jobs", AT_ONCE, *write_options(folder)]
    snakemake = start(dict(environment), log, *options)
    events = folder / "smoke/tensorboard/sam_r1/seed_0"
    ended: list[str] = []
    # The warning ahead of a time limit first, then an end without one.
    for cancel in (["scancel", "--signal=USR1"], ["scancel"]):
        wait_for(lambda: list(events.glob("events*")), snakemake, log, LIMIT)
        ended.append(slurm_jobs(log, "train_policy", "sam_r1_0/")[-1])
        subprocess.run([*cancel, ended[-1]], env=dict(environment), check=True)
        wait_for(lambda: not events.exists(), snakemake, log, 600)
    if snakemake.wait(LIMIT):
        sys.exit(log.read_text()[-5000:])
    return time.perf_counter() - begin, ended


def compare(one: Path, other: Path) -> list[list[str]]:
    """How many files of each kind there are, the same bytes in both; ends where they are not."""
    rows = []
    for kind in KINDS:
        first, second = (read_files(folder / "smoke" / kind) for folder in (one, other))
        different = [name for name in first if first[name] != second.get(name)]
        if different or first.keys() != second.keys():
            sys.exit(f"{kind}: {different or first.keys() ^ second.keys()} differ through SLURM")
        rows.append([kind, str(len(first))])
    return rows


def main() -> None:
    """Run both, compare, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="the page to write (Markdown)")
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name:
        here, there, cluster = (Path(name, part) for part in ("here", "slurm", "cluster"))
        for folder in (here, there, cluster):
            folder.mkdir()
        seconds = run_here(here)
        with slurm_cluster(cluster) as environment:
            through, ended = run_through_slurm(there, environment | {"OMP_NUM_THREADS": "1"})
        log = (there / "snakemake.log").read_text()
        rules = re.findall(r"SLURM jobid \d+ \(log: \S*/rule_(\w+)/", log)
        said = re.findall(r"error: (SIGUSR1 stopped the training after step \d+ of \d+)", log)
        states = dict(re.findall(r"SLURM-job '(\d+)' failed, SLURM status is: '(\w+)'", log))
        files = compare(here, there)
    submitted = [[rule, str(count)] for rule, count in sorted(Counter(rules).items())]
    page = PAGE.format(
        where=made_on(),
        at_once=AT_ONCE,
        seconds=f"{seconds:.0f}",
        through=f"{through:.0f}",
        rules=aligned_table(["rule", "SLURM jobs"], [*submitted, ["all", str(len(rules))]]),
        warned=f"{states[ended[0]]}: {', '.join(said)}",
        cancelled=states[ended[1]],
        files=aligned_table(["kind", "files, the same bytes"], files),
    )
    with atomic_file(output) as temporary:
        temporary.write_text(page, encoding="utf-8")


PAGE = """# The workflow on SLURM

Made by `make test-long`: everything at the smoke scale (a job a benchmark, trainings of six steps)
through the profile of clusters on a real SLURM of one node, {at_once} jobs at once, and once more
on this machine's two cores without it.

{where}.

Without SLURM it took {seconds} s, through it {through} s.

{rules}

One training was ended twice in its middle and started again by itself: by `scancel --signal=USR1`,
which is the warning before a time limit ({warned}), and by a plain
`scancel` ({cancelled}). At the end both runs had the same files:

{files}
"""


if __name__ == "__main__":
    main()
