"""What a scale writes to the disks, and what is free there."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samr1.config.datasets import Dataset
from samr1.config.jobs import Evaluation, Training
from samr1.config.merge import Experiment
from samr1.data.datasets import find_missing
from samr1.planning.job import Job, MemoryItem, total
from samr1.planning.parameters import count_parts, find_policy_config
from samr1.planning.segmenter_size import find_segmenter_size
from samr1.planning.splits import find_split
from samr1.policy.meta import count_weights
from samr1.train.checkpoint import KEPT

_PNG_BYTES = 1e6 / 840**2  # of a resized pixel, as `data.resizing` finds it
_PREDICTION_BYTES = 5_000  # of a sample: the response's text, and its mask
_WRITTEN = 1  # the checkpoint under way, beside those kept


@dataclass(frozen=True)
class Place:
    """A folder, what is written there, and the bytes that are free."""

    folder: Path
    lines: list[MemoryItem]
    free: float

    @property
    def needed(self) -> float:
        return total(self.lines)


def plan_disk(
    experiment: Experiment,
    datasets: Mapping[str, Dataset],
    trainings: Sequence[Training],
    evaluations: Sequence[Evaluation],
    job: Job,
    results: Path,
) -> list[Place]:
    """What goes where, for one training at a time, as if nothing of the results were there yet.

    `datasets` are those that can be fetched, and `job` is of the run whose training is the largest.
    Places on one file system are one place.
    """
    written = [
        *_images(experiment, trainings),
        *_results(experiment, trainings, evaluations, job),
    ]
    hub = _hub(experiment, {*(one.run for one in trainings), *(one.run for one in evaluations)})
    places = [(results, written), (Path.home(), hub)]
    if experiment.data.root is not None:
        root = Path(experiment.data.root)
        places.append((root, _data(datasets, root)))
    by_device: dict[int, Place] = {}
    for folder, lines in places:
        there = _existing(folder)
        device = there.stat().st_dev
        if device in by_device:
            by_device[device].lines.extend(lines)
        else:
            by_device[device] = Place(folder, list(lines), float(shutil.disk_usage(there).free))
    return [place for place in by_device.values() if place.lines]


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def _data(datasets: Mapping[str, Dataset], root: Path) -> list[MemoryItem]:
    """What the data sets that are not whole under `root` take, their archives beside the files."""
    lines = []
    for name, dataset in datasets.items():
        if find_missing(dataset, root):
            archives = sum(source.bytes or 0 for source in dataset.files)
            files = dataset.takes_bytes or 0
            words = f"{archives / 1e9:.2f} + {files / 1e9:.2f} GB"
            lines.append(MemoryItem(f"{name}: archive and files", words, archives + files))
    return lines


def _images(experiment: Experiment, trainings: Sequence[Training]) -> list[MemoryItem]:
    drawn = {experiment.runs[one.run].train.drawn_samples for one in trainings}
    world = experiment.data.world
    splits = [find_split(one, world) for one in experiment.benchmarks.values()]
    count = sum(drawn) + sum(split.images for split in splits)
    image = _PNG_BYTES * experiment.image_size**2
    return [MemoryItem("resized images", f"{count:,} × {image / 1e6:.2g} MB", count * image)]


def _results(
    experiment: Experiment,
    trainings: Sequence[Training],
    evaluations: Sequence[Evaluation],
    job: Job,
) -> list[MemoryItem]:
    times = KEPT + _WRITTEN
    lines = [
        MemoryItem(
            "checkpoints of a training",
            f"({KEPT} + {_WRITTEN} under way) × {job.trainable:,} × 12 B",
            times * job.trainable * 12,
        )
    ]
    numbers = count_parts(job.policy).all  # adapters are merged
    policies = len(trainings)
    lines.append(
        MemoryItem(
            "policies trained",
            f"{policies} × {numbers:,} × {job.number_bytes} B",
            policies * numbers * job.number_bytes,
        )
    )
    world = experiment.data.world
    samples = sum(
        find_split(experiment.benchmarks[one.benchmark], world).samples for one in evaluations
    )
    lines.append(
        MemoryItem(
            "predictions", f"{samples:,} × {_PREDICTION_BYTES:,} B", samples * _PREDICTION_BYTES
        )
    )
    caches = {
        run.segmenter.cache.folder: run.segmenter.cache.gigabytes
        for run in experiment.runs.values()
        if run.segmenter.cache is not None
    }
    for folder, gigabytes in caches.items():
        lines.append(MemoryItem("embedding cache", f"the bound of {folder}", gigabytes * 1e9))
    return lines


def _hub(experiment: Experiment, used: Collection[str]) -> list[MemoryItem]:
    """The models of the runs `used` that are downloaded: those that are not folders here."""
    runs = [experiment.runs[name] for name in used]
    lines = []
    for path in sorted({run.policy.path for run in runs}):
        if not Path(path).exists():
            numbers = count_weights(find_policy_config(path))
            lines.append(MemoryItem(path.partition("@")[0], f"{numbers:,} × 2 B", numbers * 2))
    for path in sorted({run.segmenter.path for run in runs}):
        if not Path(path).exists():
            size = find_segmenter_size(path).weights
            lines.append(MemoryItem(path.partition("@")[0], f"{size // 4:,} × 4 B", size))
    return lines
