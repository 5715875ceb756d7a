"""What a scale writes to the disks, and what is free there."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from samr1.config.datasets import Dataset
from samr1.config.jobs import JobList
from samr1.config.merge import Experiment
from samr1.core.hub import cache_folder
from samr1.data.datasets import find_missing
from samr1.planning.job import Estimate, Job, times, total
from samr1.planning.parameters import find_policy_config, find_segmenter_size
from samr1.planning.splits import Split
from samr1.policy.meta import count_weights
from samr1.train.checkpoint import KEPT

_PNG_BYTES = 1e6 / 840**2  # of a resized pixel, as `data.resizing` finds it
_PREDICTION_BYTES = 5_000  # of a sample: the response's text, and its mask
_KEPT = KEPT + 1  # checkpoints, the one under way beside those kept


@dataclass(frozen=True)
class Place:
    """A folder, what is written there, and the bytes that are free."""

    folder: Path
    written: list[Estimate]
    free: float

    @property
    def needed(self) -> float:
        return total(self.written)


def plan_disk(
    experiment: Experiment,
    datasets: Mapping[str, Dataset],
    planned: JobList,
    job: Job,
    splits: Mapping[str, Split],
    results: Path,
) -> list[Place]:
    """What goes where, for one training at a time, as if nothing of the results were there yet.

    `datasets` are those that can be fetched, `job` is of the run whose training is the largest, and
    `splits` are the sizes of what is evaluated, as far as they are known. Places on one file system
    are one place.
    """
    written = {
        results: _results(experiment, planned, job, splits),
        cache_folder(): _models(experiment, planned.runs),
    }
    if experiment.data.root is not None:
        written[Path(experiment.data.root)] = _data(datasets, Path(experiment.data.root))
    by_device: dict[int, Place] = {}
    for folder, estimates in written.items():
        there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
        free = float(shutil.disk_usage(there).free)
        place = by_device.setdefault(there.stat().st_dev, Place(folder, [], free))
        place.written.extend(estimates)
    return [place for place in by_device.values() if place.written]


def _results(
    experiment: Experiment, planned: JobList, job: Job, splits: Mapping[str, Split]
) -> list[Estimate]:
    asked = [one.benchmark for one in planned.evaluations if one.benchmark in splits]
    drawn = {experiment.runs[one.run].train.drawn_samples for one in planned.trainings}
    seen = {*experiment.benchmarks, *asked}
    images = sum(filter(None, drawn)) + sum(splits[name].images for name in seen)
    return [
        times("resized images", images, _PNG_BYTES * experiment.image_size**2),
        times("checkpoints of a training", _KEPT, job.trainable, 12),
        # Adapters are merged.
        times("policies trained", len(planned.trainings), job.parts.all, job.number_bytes),
        times("predictions", sum(splits[name].samples for name in asked), _PREDICTION_BYTES),
    ]


def _models(experiment: Experiment, used: Collection[str]) -> list[Estimate]:
    """The models of the runs `used` that are downloaded: those that are not folders here."""
    runs = [experiment.runs[name] for name in used]
    numbers = {
        path: (count_weights(find_policy_config(path)), 2)
        for path in sorted({run.policy.path for run in runs})
        if not Path(path).exists()
    } | {
        path: (find_segmenter_size(path).weights // 4, 4)
        for path in sorted({run.segmenter.path for run in runs})
        if not Path(path).exists()
    }
    return [times(path.partition("@")[0], *factors) for path, factors in numbers.items()]


def _data(datasets: Mapping[str, Dataset], root: Path) -> list[Estimate]:
    """What the data sets that are not whole under `root` take, their archives beside the files."""
    estimates = []
    for name, dataset in datasets.items():
        if find_missing(dataset, root):
            archives = sum(source.bytes or 0 for source in dataset.files)
            files = dataset.takes_bytes or 0
            words = f"{archives / 1e9:.2f} + {files / 1e9:.2f} GB"
            estimates.append(Estimate(f"{name}: archive and files", words, archives + files))
    return estimates
