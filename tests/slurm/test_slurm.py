"""The workflow on a real SLURM, through the profile that clusters use: `make test-slurm`.

What is cheap is made without SLURM before. Then a training and the answers to a benchmark go
through it side by side, and the training is stopped in its middle.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from slurm_cluster import slurm_cluster
from through_slurm import STEPS, slurm_jobs, start, through_slurm, wait_for, write_options

TRAINING = "training/sam_r1/seed_0.parquet"
ANSWERS = "predictions/base/seed_0/reasonseg_val.parquet"
CHEAP = (
    "images_84/training_12.parquet",
    "images_84/reasonseg_val.parquet",
    "config/train/sam_r1/seed_0.yaml",
    "config/predict/base.yaml",
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return write_options(tmp_path)


def test_a_stopped_training_goes_on_where_it_was(
    cluster: dict[str, str], options: list[str], tmp_path: Path
) -> None:
    results, log = tmp_path / "smoke", tmp_path / "snakemake.log"
    cheap = [str(results / name) for name in CHEAP]
    made = start(cluster, log, *cheap, "--cores", "2", *options)
    assert made.wait(300) == 0, log.read_text()[-5000:]

    targets = [str(results / name) for name in (TRAINING, ANSWERS)]
    snakemake = start(cluster, log, *targets, *through_slurm(tmp_path), *options)
    events = results / "tensorboard/sam_r1/seed_0"
    # The warning ahead of the time limit first, then an end without one, which need keep nothing.
    for attempt, cancel in enumerate((["scancel", "--signal=USR1"], ["scancel"]), 1):
        wait_for(lambda n=attempt: len(slurm_jobs(log, "train_policy")) == n, snakemake, log, 240)
        wait_for(lambda: list(events.glob("events*")), snakemake, log, 240)
        subprocess.run([*cancel, slurm_jobs(log, "train_policy")[-1]], env=cluster, check=True)
        wait_for(lambda: not events.exists(), snakemake, log, 240)
    assert snakemake.wait(600) == 0, log.read_text()[-5000:]

    said = log.read_text()
    first, second, _ = slurm_jobs(log, "train_policy")
    assert f"SLURM-job '{first}' failed, SLURM status is: 'FAILED'" in said
    warned = re.search(rf"error: SIGUSR1 stopped the training after step (\d+) of {STEPS}", said)
    assert warned is not None and int(warned[1]) >= 1
    assert f"SLURM-job '{second}' failed, SLURM status is: 'CANCELLED'" in said
    assert len(slurm_jobs(log, "predict_masks")) == 1
    assert pq.read_table(results / TRAINING)["step"].to_pylist() == list(range(STEPS))
    last = (results / "logs/train_policy/sam_r1/seed_0.log").read_text()
    bar = re.search(rf"(\d+)/{STEPS} \[", last)  # where the third attempt began
    assert bar is not None and int(bar[1]) >= int(warned[1])
    samples = pq.read_table(results / "samples/reasonseg_val.parquet")
    assert pq.read_table(results / ANSWERS)["sample_id"] == samples["sample_id"]
