"""The sizes of the benchmarks: as published, or as the drawn world's configuration says."""

from __future__ import annotations

from typing import NamedTuple

from samr1.config.data import Benchmark, WorldConfig
from samr1.data.counts import PUBLISHED

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
