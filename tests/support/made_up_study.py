"""Made-up results of the studies: overlaps drawn around a quality, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from samr1.core.files import write_table
from samr1.core.schemas import OVERLAPS
from samr1.evaluation.score import score_overlaps
from samr1.train.metrics import TRAINING_METRICS

BENCHMARKS = ("reasonseg_test", "refcocog_test")
N = 80
UNION = 1000


def made_up_overlaps(
    run: str, seed: int, benchmark: str, quality: float, protocol: str = "seg_zero"
) -> pa.Table:
    """N samples on N / 2 images with a mean IoU near `quality`; the images' part is shared."""
    images = np.random.default_rng(7).normal(0, 0.1, N // 2).repeat(2)
    own = np.random.default_rng([seed, len(run)]).normal(0, 0.02, N)
    iou = np.clip(quality + images + own, 0, 1)
    return pa.table(
        {
            "run": [run] * N,
            "seed": [seed] * N,
            "benchmark": [benchmark] * N,
            "protocol": [protocol] * N,
            "sample_id": [f"s{i}" for i in range(N)],
            "image_id": [f"image{i // 2}" for i in range(N)],
            "answered": [True] * N,
            "intersection": (iou * UNION).astype(int),
            "union": [UNION] * N,
            "box_iou": [None] * N,
            "right_object": iou > quality - 0.1,
            "right_point": [None] * N,
        },
        OVERLAPS,
    )


def write_evaluation(results: Path, run: str, seed: int, quality: float) -> None:
    """Overlaps and metrics of a run at a seed, on both benchmarks."""
    for benchmark in BENCHMARKS:
        tables = [
            made_up_overlaps(run, seed, benchmark, quality, protocol)
            for protocol in ("seg_zero", "lisa")
        ]
        name = f"{run}/seed_{seed}/{benchmark}.parquet"
        write_table(results / "overlaps" / name, pa.concat_tables(tables))
        metrics = [score_overlaps(one, resamples=50, bootstrap_seed=0) for one in tables]
        write_table(results / "metrics" / name, pa.concat_tables(metrics))


def write_training(results: Path, run: str, seed: int, rewards: list[float]) -> None:
    """Training metrics whose rewards are given step by step."""
    columns = {name: [0.1 * (seed + 1)] * len(rewards) for name in TRAINING_METRICS.names}
    columns |= {"step": list(range(len(rewards))), "reward_total": rewards}
    path = results / "training" / run / f"seed_{seed}.parquet"
    write_table(path, pa.table(columns, TRAINING_METRICS))


def write_run(results: Path, run: str, seed: int, quality: float, steps: int = 5) -> None:
    """All that the studies want of a run at a seed."""
    write_evaluation(results, run, seed, quality)
    write_training(results, run, seed, [4.0] * steps)
