"""Read a data set of one's own, of any layout, into rows of `schemas.SAMPLES`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from samr1.config.own_data import Layout, OwnDataStage, Part
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.reading import is_text
from samr1.data.bad_samples import BadSamples, OnBadSample
from samr1.data.own import class_masks, coco, labelme, public, table
from samr1.data.own.parts import divide, same_pixels
from samr1.data.own.questions import Question, Source

READERS: dict[Layout, Callable[[Source], Iterator[Question]]] = {
    "table": table.read,
    "coco": coco.read,
    "labelme": labelme.read,
    "masks": class_masks.read,
    "refer": public.read_refer,
    "reasonseg": public.read_reasonseg,
    "mirror": public.read_mirror,
}

_MOST_REASONS = 3  # why nothing is asked


@dataclass(frozen=True)
class Reading:
    """A data set as it was read: rows of `schemas.SAMPLES`, whose `split` is the part.

    `refused` says of each bad sample what is wrong; `left_out` counts, by why, what is no sample
    and not wrong; `same_pixels` are files of one picture.
    """

    samples: pa.Table
    refused: list[str]
    left_out: Counter[str]
    same_pixels: list[list[str]]


def read_own(stage: OwnDataStage, on_bad_sample: OnBadSample | None = None) -> Reading:
    """Read the data set; `image_path` is relative to its root, boxes and masks in pixels of images.

    `on_bad_sample` takes the place of the data set's own. Raises UserError where a file cannot be
    read, a sample is bad and that stops the reading, or there is no sample.
    """
    source = Source(stage, BadSamples(on_bad_sample or stage.on_bad_sample))
    read = READERS[stage.layout](source)
    bar = tqdm(read, desc=f"read {stage.name}", unit="question", disable=None)
    questions = list(_known_apart(bar, source.bad))
    source.bad.report(len(questions), str(source.root))
    if not questions:
        raise _none_asked(source)
    divided = divide(questions, source)
    rows = [_to_row(question, part, stage.name) for question, part in divided]
    return Reading(
        samples=pa.Table.from_pylist(rows, schema=schemas.SAMPLES),
        refused=source.bad.told,
        left_out=source.left_out,
        same_pixels=same_pixels(source.digests, {question.image for question, _ in divided}),
    )


def _none_asked(source: Source) -> UserError:
    reasons = source.left_out.most_common(_MOST_REASONS)
    told = ", and ".join(f"{why} ({times:,})" for why, times in reasons)
    mend = f"left out are {told}; correct the settings" if told else "correct `root`"
    return UserError(f"{source.root}: has no question; {mend}, or fill the data set.")


def _known_apart(questions: Iterable[Question], bad: BadSamples) -> Iterator[Question]:
    """The questions but for those whose id is another's too, or is no text."""
    places: dict[str, str] = {}
    for question in questions:
        with bad.catching(question.place):
            if not is_text(question.id) or not is_text(question.image):
                raise UserError("its name is no valid Unicode; rename it.")
            if other := places.get(question.id):
                raise UserError(f"its id, {question.id!r}, is that of {other} too; change it.")
            places[question.id] = question.place
            yield question


def select_part(reading: Reading, part: Part) -> pa.Table:
    """The samples of one part; raises UserError where it has none."""
    chosen = reading.samples.filter(pc.equal(reading.samples["split"], part))
    if not len(chosen):
        raise UserError(f"the data set has no sample of the part {part}; put some images into it.")
    return chosen


def _to_row(question: Question, part: Part, name: str) -> dict[str, object]:
    return {
        "sample_id": f"{name}/{question.id}",
        "dataset": name,
        "split": part,
        "image_id": f"{name}/{question.image}",
        "image_path": question.image,
        "width": question.size[0],
        "height": question.size[1],
        "query": question.query,
        "sentence_index": question.sentence_index,
        "box": question.truth.box,
        "mask": question.truth.mask,
        "ignore": question.truth.ignore,
    }
