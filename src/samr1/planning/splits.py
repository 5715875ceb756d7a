"""The sizes of the benchmarks: as published, or as the drawn world's configuration says."""

from __future__ import annotations

from dataclasses import dataclass

from samr1.config.data import Benchmark, WorldConfig
from samr1.data.counts import PUBLISHED

# (data set, split) -> images; RefCOCOg in the umd split. From lichengunc/refer and the papers of
# ReasonSeg (LISA) and RefCOCOg.
_IMAGES = {
    ("refcoco", "val"): 1_500,
    ("refcoco", "testA"): 750,
    ("refcoco", "testB"): 750,
    ("refcoco+", "val"): 1_500,
    ("refcoco+", "testA"): 750,
    ("refcoco+", "testB"): 750,
    ("refcocog", "val"): 1_300,
    ("refcocog", "test"): 2_600,
    ("reasonseg", "val"): 200,
    ("reasonseg", "test"): 779,
    ("lisa_grounding", "val"): 200,
    ("lisa_grounding", "test"): 779,
}
# Any other split counts as much as the largest of them.
_LARGEST = ("refcocog", "umd", "test")


@dataclass(frozen=True)
class Split:
    """The size of a benchmark."""

    samples: int
    images: int


def find_split(benchmark: Benchmark, world: WorldConfig | None) -> Split:
    """The size of `benchmark`, of the drawn `world` where there is one."""
    if world is not None:
        name = benchmark.dataset.replace("+", "p").replace("lisa_grounding", "reasonseg")
        key = f"{name}_{benchmark.split.lower()}"
        sizes = world.model_dump()
        count = sizes.get(key) or sizes.get(f"{key}_refs") or 0
        return Split(count, count)
    split: tuple[str, str | None, str] = benchmark.dataset, benchmark.split_by, benchmark.split
    if (split[0], split[2]) not in _IMAGES or split not in PUBLISHED:
        split = _LARGEST
    refs, sentences = PUBLISHED[split]
    asked = sentences if benchmark.sentences == "all" else refs
    return Split(asked or refs, _IMAGES[split[0], split[2]])
