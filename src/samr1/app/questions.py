"""Which questions can be asked, and what a person asks on the command line: images and questions.

A CSV file brings its own questions; a folder is all pictures in it.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samr1.core.errors import UserError, prefix_errors, say
from samr1.core.reading import find_delimiter, is_text, read_bytes
from samr1.data.image_files import SUFFIXES

MAX_CHARACTERS = 500  # a question is a sentence; the prompt around it is of fixed length
_COLUMNS = ("image", "question")
_MAX_CSV_BYTES = 16_000_000
_MAX_CSV_ROWS = 50_000
_MAX_NAMES = 10  # of what a folder holds beside pictures


@dataclass(frozen=True)
class ImageQuestions:
    """One picture's file and all that is asked of it, in order, each question once."""

    image: Path
    questions: tuple[str, ...]


def check_question(question: str) -> str:
    """The question without blanks around it; raises UserError where it cannot be asked."""
    asked = " ".join(question.split())
    if not asked:
        raise UserError("a question is empty; ask for something in the picture.")
    if not is_text(asked):
        raise UserError(f"the question {asked[:40]!r} is no valid Unicode; write it anew.")
    if len(asked) > MAX_CHARACTERS:
        raise UserError(
            f"the question {asked[:40]!r}… has {len(asked)} characters; ask in at most "
            f"{MAX_CHARACTERS}."
        )
    if "<|" in asked or "|>" in asked:
        raise UserError(
            f"the question {asked!r} contains <| or |>, which are the policy's own marks; leave "
            "them out."
        )
    return asked


def gather_questions(places: Sequence[Path], questions: Sequence[str]) -> list[ImageQuestions]:
    """What is asked of which file: `questions` of every picture, and what the CSV files ask.

    Pictures are in order of appearance, those of a folder by name. Raises UserError where a place
    is a folder without pictures, or a CSV file that cannot be read.
    """
    common = [check_question(question) for question in questions]
    asked: dict[Path, dict[str, None]] = {}
    for place in places:
        if place.suffix.lower() == ".csv":
            rows: Iterable[tuple[Path, str]] = _read_csv(place)
        else:
            rows = [(image, one) for image in _pictures(place) for one in common]
        for image, question in rows:
            asked.setdefault(image, {})[question] = None
    return [ImageQuestions(image, tuple(of_image)) for image, of_image in asked.items()]


def _pictures(place: Path) -> list[Path]:
    if not os.path.isdir(place):
        return [place]  # one that is not there fails when its turn comes, and no other with it
    try:
        names = sorted(name for name in os.listdir(place) if not name.startswith("."))
    except OSError as error:
        raise UserError(f"{place}: cannot be listed ({error.strerror}); name another.") from error
    if others := [name for name in names if not name.lower().endswith(SUFFIXES)]:
        more = "" if len(others) <= _MAX_NAMES else f" and {len(others) - _MAX_NAMES:,} more"
        say(
            f"note: {place}: nothing is asked of {', '.join(others[:_MAX_NAMES])}{more}; pictures "
            f"that are read are {', '.join(SUFFIXES)}."
        )
    if len(others) == len(names):
        raise UserError(
            f"{place}: holds no picture ({', '.join(SUFFIXES)}); name a folder that does."
        )
    return [place / name for name in names if name.lower().endswith(SUFFIXES)]


def _read_csv(path: Path) -> list[tuple[Path, str]]:
    """The rows of a CSV file with the columns `image` (relative to the file) and `question`."""
    data = read_bytes(path, _MAX_CSV_BYTES, "correct the path, or split the file")
    try:
        text = data.decode("utf-8-sig")
        delimiter = find_delimiter(text.lstrip("\r\n").split("\n", 1)[0])
        lines = io.StringIO(text, newline="")
        reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
        rows = list(_rows(reader, path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV in UTF-8 ({error}).") from error
    if not rows:
        raise UserError(f"{path}: has no rows; add an image and a question.")
    return rows


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[tuple[Path, str]]:
    names = list(reader.fieldnames or [])
    for name in _COLUMNS:
        if name not in names:
            has = ", ".join(map(repr, names[:20])) or "none"
            raise UserError(f"{path}: lacks the column {name!r} in its first line; it has {has}.")
        if names.count(name) > 1:
            raise UserError(f"{path}: has the column {name!r} twice in its first line.")
    for number, row in enumerate(reader):
        if number == _MAX_CSV_ROWS:
            raise UserError(f"{path}: has more than {_MAX_CSV_ROWS:,} rows; split the file.")
        with prefix_errors(f"{path}, line {reader.line_num}"):
            image, question = row["image"], row["question"]
            if not image or question is None or None in row:
                raise UserError("must have an image and a question.")
            yield path.parent / image, check_question(question)
