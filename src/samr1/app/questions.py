"""Which questions can be asked, and what a person asks on the command line: images and questions.

A CSV file brings its own questions; a folder is all pictures in it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from samr1.core.errors import UserError, prefix_errors

MAX_CHARACTERS = 500  # a question is a sentence; the prompt around it is of fixed length
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp")
_COLUMNS = ("image", "question")
_MAX_CSV_BYTES = 64_000_000


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
    if not place.is_dir():
        return [place]  # one that is not there fails when its turn comes, and no other with it
    found = sorted(
        path for path in place.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not found:
        raise UserError(
            f"{place}: holds no picture ({', '.join(SUFFIXES)}); name a folder that does."
        )
    return found


def _read_csv(path: Path) -> list[tuple[Path, str]]:
    """The rows of a CSV file with the columns `image` (relative to the file) and `question`."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; correct the path.")
    if path.stat().st_size > _MAX_CSV_BYTES:
        raise UserError(f"{path}: has more than {_MAX_CSV_BYTES:,} bytes; split it.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = reader.fieldnames or []
            if missing := [name for name in _COLUMNS if name not in names]:
                raise UserError(f"{path}: lacks the column {missing[0]!r} in its first line.")
            rows = [_read_row(row, path, reader.line_num) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as CSV in UTF-8 ({error}).") from error
    if not rows:
        raise UserError(f"{path}: has no rows; add an image and a question.")
    return rows


def _read_row(row: dict[str, str | None], path: Path, line: int) -> tuple[Path, str]:
    image, question = row["image"], row["question"]
    if not image or question is None or None in row:
        raise UserError(f"{path}, line {line}: must have an image and a question.")
    with prefix_errors(f"{path}, line {line}"):
        return path.parent / image, check_question(question)
