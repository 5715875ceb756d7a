"""What runs answered to benchmarks, read from the workflow's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from samr1.config.names import PUBLIC_DATASETS
from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.core.files import read_table
from samr1.data.samples import load_samples
from samr1.evaluation.answers import answers_in_order
from samr1.evaluation.bootstrap import Floats
from samr1.evaluation.score import Protocol, measure_overlaps, sample_ious


@dataclass(frozen=True)
class Answers:
    """What runs answered to one benchmark: run -> its predictions, a table a seed.

    `title` is the benchmark's name as readers know it; `objects` are all of its images', where they
    are known.
    """

    title: str
    samples: pa.Table
    runs: Mapping[str, Sequence[pa.Table]]
    objects: pa.Table | None = None


def read_answers(
    samples: Sequence[Path],
    predictions: Sequence[Path],
    titles: Sequence[str],
    objects: Sequence[Path] = (),
) -> list[Answers]:
    """Read the predictions on each file of samples, .../{run}/seed_{seed}/{samples' name}.

    `titles` are the benchmarks' names; `objects` are files of some, named as their samples. Runs
    keep the order of the files. Raises UserError where a file is missing or not what it should be,
    where a sample is not answered, and where a benchmark has no predictions.
    """
    found = []
    known = {path.name: read_table(path, schemas.OBJECTS) for path in objects}
    for file, title in zip(samples, titles, strict=True):
        table = load_samples(file)
        runs: dict[str, list[pa.Table]] = {}
        for path in predictions:
            if path.name == file.name:
                runs.setdefault(path.parent.parent.name, []).append(_read(path, table))
        if not runs:
            raise UserError(
                f"{file}: no predictions on it; give some as .../{{run}}/seed_{{seed}}/{file.name}."
            )
        found.append(Answers(title, table, runs, known.get(file.name)))
    return found


def read_pairs(
    samples: Sequence[Path], predictions: Sequence[Path], titles: Sequence[str]
) -> list[Answers]:
    """Read the same two runs' answers to every benchmark; raises UserError where one lacks."""
    found = read_answers(samples, predictions, titles)
    runs = list(dict.fromkeys(run for one in found for run in one.runs))
    for one in found:
        if len(runs) != 2 or len(one.runs) != 2:
            raise UserError(
                f"{one.title}: there are predictions of {', '.join(one.runs)}; give two runs' "
                "answers to every benchmark, .../{run}/seed_{seed}/{benchmark}.parquet."
            )
    return found


def is_of_boxes(samples: pa.Table) -> bool:
    """Whether the benchmark is scored by boxes, as LISA-Grounding is and where no mask is known."""
    return bool(samples["mask"].null_count or samples["dataset"][0].as_py() == "lisa_grounding")


def mask_protocol(samples: pa.Table) -> Protocol:
    """How the samples' masks are scored: as the tables' of the public sets, or one's own page's."""
    return "seg_zero" if samples["dataset"][0].as_py() in PUBLIC_DATASETS else "lisa"


def measure_ious(answers: Answers) -> dict[str, list[Floats]]:
    """The IoUs of every run's answers, an array [N] a seed, as tables and pages average them.

    Raises UserError, naming run and benchmark, where a mask or box is broken.
    """
    samples = answers.samples
    protocol = "rec" if is_of_boxes(samples) else mask_protocol(samples)
    found: dict[str, list[Floats]] = {}
    for run, tables in answers.runs.items():
        with prefix_errors(f"run {run!r} on {answers.title}"):
            found[run] = [sample_ious(measure_overlaps(samples, one, protocol)) for one in tables]
    return found


def _read(path: Path, samples: pa.Table) -> pa.Table:
    table = read_table(path, schemas.PREDICTIONS)
    with prefix_errors(str(path)):
        answers_in_order(samples, table, ["box"])
    return table
