"""The data of the studies: what of each run and seed is there, packed small enough to be kept.

A run at a seed is there when its metrics and overlaps on every benchmark of Tables 4 and 5 are, and
its training's metrics; then all that the studies' tables say can be made of these files alone:

    data/metrics/{run}/seed_{seed}/{benchmark}.parquet     figures, with intervals over images
    data/overlaps/{run}/seed_{seed}/{benchmark}.parquet    what they are made of, a row a sample
    data/training/{run}/seed_{seed}.parquet                a row a step
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from tqdm import tqdm

from samr1.config.names import BASE
from samr1.config.schema import ScoreStage
from samr1.core.errors import UserError
from samr1.core.files import atomic_file, read_table
from samr1.core.schemas import COMPARISONS, OVERLAPS
from samr1.evaluation.compare import compare

Seeds = Mapping[str, Sequence[int]]  # by run


@dataclass(frozen=True)
class StudyData:
    """A folder of the data of `benchmarks`, and which seeds of which run it has."""

    folder: Path
    benchmarks: tuple[str, ...]
    asked: Seeds  # the seeds that are wanted of each trained run
    base_seed: int

    def files(self, run: str, seed: int) -> list[Path]:
        """The files of a run at a seed, relative to the folder."""
        files = [
            Path(f"{kind}/{run}/seed_{seed}/{benchmark}.parquet")
            for kind in ("metrics", "overlaps")
            for benchmark in self.benchmarks
        ]
        return files if run == BASE else [*files, Path(f"training/{run}/seed_{seed}.parquet")]

    def seeds(self, run: str) -> tuple[int, ...]:
        """The seeds of `run` that are there."""
        wanted = (self.base_seed,) if run == BASE else self.asked.get(run, ())
        return tuple(
            seed
            for seed in wanted
            if all((self.folder / file).is_file() for file in self.files(run, seed))
        )

    def metrics(self, runs: Sequence[str]) -> list[Path]:
        """The metrics of `runs` at all their seeds."""
        return [
            self.folder / f"metrics/{run}/seed_{seed}/{benchmark}.parquet"
            for run in dict.fromkeys(runs)
            for seed in self.seeds(run)
            for benchmark in self.benchmarks
        ]

    def training(self, run: str, seed: int) -> Path:
        """The training metrics of a run at a seed."""
        return self.folder / f"training/{run}/seed_{seed}.parquet"

    def compare(self, pairs: Sequence[tuple[str, str]], stage: ScoreStage) -> pa.Table:
        """The gain of each pair's first run over its second, over the seeds that both have.

        The base has no seeds, and is paired with each of the other's. Rows of COMPARISONS.
        """
        tables = [COMPARISONS.empty_table()]
        for run, baseline in tqdm(pairs, desc="compare", unit="pair", disable=None):
            theirs = {
                seed: self.base_seed if baseline == BASE else seed for seed in self.seeds(run)
            }
            shared = {s: t for s, t in theirs.items() if t in self.seeds(baseline)}
            for benchmark in self.benchmarks if shared else ():
                overlaps = {
                    seed: (
                        self._overlaps(run, seed, benchmark),
                        self._overlaps(baseline, other, benchmark),
                    )
                    for seed, other in shared.items()
                }
                tables.append(
                    compare(
                        overlaps,
                        resamples=stage.bootstrap_resamples,
                        bootstrap_seed=stage.bootstrap_seed,
                    )
                )
        return pa.concat_tables(tables)

    def _overlaps(self, run: str, seed: int, benchmark: str) -> pa.Table:
        return read_table(self.folder / f"overlaps/{run}/seed_{seed}/{benchmark}.parquet", OVERLAPS)


def pack_study(results: Path, data: StudyData) -> None:
    """Copy into `data` what `results` (a scale's) has of it, a run at a seed whole or not at all.

    What is there from before stays, unless `results` has it anew. Raises UserError where `results`
    has nothing of it.
    """
    source = StudyData(results, data.benchmarks, data.asked, data.base_seed)
    found = [(run, seed) for run in (BASE, *data.asked) for seed in source.seeds(run)]
    if not found:
        raise UserError(
            f"{results}: has metrics, overlaps and training of no run of the studies on "
            f"{', '.join(data.benchmarks)}; train and score one first, or correct the folder."
        )
    for run, seed in found:
        for file in data.files(run, seed):
            with atomic_file(data.folder / file) as temporary:
                shutil.copyfile(results / file, temporary)
