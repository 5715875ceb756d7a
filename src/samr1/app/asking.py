"""Many questions on many pictures, some pictures at a time; one that fails loses no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samr1.app.answer_files import Source, write_answer
from samr1.app.model import BATCH_SIZE, Pixels, Samr1, Segmented
from samr1.app.questions import ImageQuestions
from samr1.core.errors import UserError
from samr1.core.reading import is_text, read_bytes
from samr1.data.image_files import MAX_BYTES
from samr1.data.images import load_picture

_MOST_BYTES = 100_000_000  # of pictures in memory before they are asked about


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
            reading.append(_read(one))
        except UserError as error:
            yield from _answer(model, reading, who, output)
            reading = []
            yield Failed(len(one.questions), str(error))
        # As many pictures are in memory as make one batch, or as it should hold.
        questions = sum(len(read.asked.questions) for read in reading)
        size = sum(read.pixels.nbytes + len(read.content) for read in reading)
        if questions >= BATCH_SIZE or size >= _MOST_BYTES:
            yield from _answer(model, reading, who, output)
            reading = []
    yield from _answer(model, reading, who, output)


def _read(asked: ImageQuestions) -> _Read:
    name = str(asked.image)
    if not is_text(name):
        raise UserError(f"{name}: its name is no valid Unicode; rename it.")
    content = read_bytes(asked.image, MAX_BYTES)
    return _Read(asked, content, load_picture(content, name))


def _answer(model: Samr1, reading: Sequence[_Read], who: str, output: Path) -> Iterator[Written]:
    answers = model.segment_each([(read.pixels, read.asked.questions) for read in reading])
    for read, of_picture in zip(reading, answers, strict=True):
        source = Source(str(read.asked.image), read.content, who)
        for answer in of_picture:
            file = write_answer(answer, read.pixels, source, output)
            yield Written(read.asked.image, answer, file)
