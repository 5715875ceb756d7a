"""The sizes of the benchmarks: as published, as the drawn world's settings say, or as indexed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from samr1.config.data import Benchmark, WorldConfig
from samr1.config.merge import Experiment
from samr1.data.counts import PUBLISHED
from samr1.data.samples import load_samples

# Images of each split; RefCOCOg's in the umd split. From lichengunc/refer and the papers of
# ReasonSeg (LISA) and RefCOCOg.
_REFCOCO, _REASONSEG = {"val": 1_500, "testA": 750, "testB": 750}, {"val": 200, "test": 779}
_IMAGES = {
    "refcoco": _REFCOCO,
    "refcoco+": _REFCOCO,
    "refcocog": {"val": 1_300, "test": 2_600},
    "reasonseg": _REASONSEG,
    "lisa_grounding": _REASONSEG,
}
# Any other split counts as much as the largest of them.
_LARGEST = ("refcocog", "umd", "test")


class Split(NamedTuple):
    """The size of a benchmark."""

    samples: int
    images: int


def find_splits(experiment: Experiment, samples: Path) -> dict[str, Split]:
    """The size of every benchmark, and of data of one's own as far as `samples` has its test part.

    Raises UserError where a file in the folder `samples` is no table of samples.
    """
    world = experiment.data.world
    own = {name: count_indexed(samples / f"{name}.parquet") for name in experiment.own_data}
    return {name: find_split(one, world) for name, one in experiment.benchmarks.items()} | {
        name: split for name, split in own.items() if split is not None
    }


def count_indexed(samples: Path) -> Split | None:
    """The size of a table of samples; None where it is not there yet."""
    if not samples.is_file():
        return None
    table = load_samples(samples)
    return Split(len(table), len(table["image_id"].unique()))


def find_split(benchmark: Benchmark, world: WorldConfig | None) -> Split:
    """The size of `benchmark`, of the drawn `world` where there is one."""
    if world is not None:
        name = benchmark.dataset.replace("+", "p").replace("lisa_grounding", "reasonseg")
        key, sizes = f"{name}_{benchmark.split.lower()}", world.model_dump()
        count = sizes.get(key) or sizes.get(f"{key}_refs") or 0
        return Split(count, count)
    split: tuple[str, str | None, str] = benchmark.dataset, benchmark.split_by, benchmark.split
    if split not in PUBLISHED or benchmark.split not in _IMAGES[benchmark.dataset]:
        split = _LARGEST
    refs, sentences = PUBLISHED[split]
    asked = sentences if benchmark.sentences == "all" else refs
    return Split(asked or refs, _IMAGES[split[0]][split[2]])
