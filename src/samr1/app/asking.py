"""Many questions on many pictures, some pictures at a time; one that fails loses no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samr1.app.answer_files import Source, write_answer
from samr1.app.model import BATCH_SIZE, Pixels, Samr1, Segmented, read_bytes
from samr1.app.questions import ImageQuestions
from samr1.core.errors import UserError
from samr1.data.images import load_picture


@dataclass(frozen=True)
class Written:
    """One answer, the picture that it is about, and the JSON file that holds it."""

    image: Path
    answer: Segmented
    file: Path


@dataclass(frozen=True)
class Failed:
    """A picture that could not be asked about, how many questions were lost, and why."""

    questions: int
    reason: str


@dataclass(frozen=True)
class _Read:
    asked: ImageQuestions
    content: bytes
    pixels: Pixels


def ask_all(
    model: Samr1, asked: Sequence[ImageQuestions], who: str, output: Path
) -> Iterator[Written | Failed]:
    """Ask everything and write each answer into `output`, in order.

    `who` says who is asked and how; answers of another are kept apart from these. Raises UserError
    where nothing can be written.
    """
    reading: list[_Read] = []
    for one in asked:
        try:
            content = read_bytes(one.image)
            reading.append(_Read(one, content, load_picture(content, str(one.image))))
        except UserError as error:
            yield from _answer(model, reading, who, output)
            reading = []
            yield Failed(len(one.questions), str(error))
        # As many pictures are in memory as make one batch.
        if sum(len(read.asked.questions) for read in reading) >= BATCH_SIZE:
            yield from _answer(model, reading, who, output)
            reading = []
    yield from _answer(model, reading, who, output)


def _answer(model: Samr1, reading: Sequence[_Read], who: str, output: Path) -> Iterator[Written]:
    answers = model.segment_each([(read.pixels, read.asked.questions) for read in reading])
    for read, of_picture in zip(reading, answers, strict=True):
        source = Source(str(read.asked.image), read.content, who)
        for answer in of_picture:
            file = write_answer(answer, read.pixels, source, output)
            yield Written(read.asked.image, answer, file)
