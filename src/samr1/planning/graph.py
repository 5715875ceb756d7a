"""What a scale's graph holds, in numbers: its trainings, its predictions, its splits' sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from samr1.config.data import Benchmark, WorldConfig
from samr1.config.errors import read_mapping
from samr1.config.merge import Experiment
from samr1.config.schema import RunConfig
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


@dataclass(frozen=True)
class Graph:
    """A scale's trainings (run, and how many seeds) and predictions (run, benchmark, seeds)."""

    trainings: dict[str, int]
    predictions: list[tuple[str, str, int]]
    splits: dict[str, Split]


def describe_graph(experiment: Experiment, published: Path) -> Graph:
    """The graph of `experiment`; `published` says which run stands in which table.

    `sam_r1` and the untrained models, where they do not say fewer, meet every benchmark, the others
    those of their own tables, and the point rewards' runs the one on which Figure 4 shows their
    points. What stands in no table and is trained by `snakemake studies` alone is left out, as are
    seeds beyond the scale's own.
    """
    runs, seeds = experiment.runs, len(experiment.seeds)
    tables = read_mapping(published)["tables"].values()
    shown = {row.get("run") for table in tables for row in table["rows"]}
    beyond = set(experiment.studies.seeds(experiment.scale)) - shown
    asked = {
        (name, benchmark)
        for name, run in runs.items()
        if not run.trained or name == "sam_r1"
        for benchmark in run.benchmarks or experiment.benchmarks
    }
    for table in tables:
        names = {row.get("run") for row in table["rows"]} & set(runs)
        benchmarks = {column["benchmark"] for column in table["columns"].values()}
        asked |= {(name, one) for name in names for one in benchmarks & set(experiment.benchmarks)}
    asked |= {
        (name, benchmark)
        for name, run in runs.items()
        if run.reward.negative_points != "none"
        for benchmark in {"refcocog_test"} & set(experiment.benchmarks)
    }
    return Graph(
        trainings={name: seeds for name, run in runs.items() if run.trained and name not in beyond},
        predictions=[
            (name, one, seeds if runs[name].trained else 1) for name, one in sorted(asked)
        ],
        splits={
            name: _split(one, experiment.data.world) for name, one in experiment.benchmarks.items()
        },
    )


def only(graph: Graph, run: RunConfig) -> Graph:
    """The part of `graph` that is `run`'s, which is trained here whatever it says itself."""
    return Graph(
        trainings={run.name: graph.trainings.get(run.name, 1)},
        predictions=[one for one in graph.predictions if one[0] == run.name],
        splits=graph.splits,
    )


def _split(benchmark: Benchmark, world: WorldConfig | None) -> Split:
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
