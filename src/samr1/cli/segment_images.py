"""Find what a question asks for in pictures: its mask, and the model's thought, box and points."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from samr1.app.questions import gather_questions
from samr1.cli.use_options import add_model_options, load_model
from samr1.core.errors import UserError, printable
from samr1.core.reading import is_text
from samr1.data.image_files import SUFFIXES

_MORE = """examples:
  samr1 segment cat.jpg "the cat's tail" "the ball"
  samr1 segment cat.jpg dog.jpg photos --question "the animal"
  samr1 segment questions.csv          # columns: image (relative to the file), question

For every answer OUTPUT gets PICTURE.QUESTION.DIGEST.json, and, where it could be read, .mask.png
and .overlay.png beside it. A JSON line an answer goes to the standard output, without the mask.
Exit code: 0 where every picture could be asked about, 1 where one could not, 2 for wrong usage."""


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `segment` to the commands of `samr1`."""
    parser = commands.add_parser(
        "segment",
        help="find what a question asks for in pictures",
        description=__doc__,
        epilog=_MORE,
        usage="samr1 segment [options] IMAGE QUESTION [QUESTION ...]\n"
        "       samr1 segment [options] -q QUESTION [-q ...] IMAGE-OR-FOLDER [...]\n"
        "       samr1 segment [options] QUESTIONS.csv [...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a picture, then what to find in it; with --question, pictures, folders, CSV files",
    )
    parser.add_argument(
        "-q",
        "--question",
        action="append",
        dest="questions",
        metavar="QUESTION",
        help="what to find in every picture; may be given several times",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("segmented"),
        help="folder to write into (default: segmented)",
    )
    add_model_options(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> None:
    places, questions = _split(arguments)
    asked = gather_questions(places, questions)
    _make_folder(arguments.output)
    # Not before: --help and a wrong usage do not wait for torch.
    from samr1.app.answer_files import describe_answer
    from samr1.app.asking import Failed, ask_all

    model, who = load_model(arguments)
    failed = 0
    total = sum(len(one.questions) for one in asked)
    with tqdm(total=total, desc="segment", unit="question", disable=None) as progress:
        for done in ask_all(model, asked, who, arguments.output):
            if isinstance(done, Failed):
                failed += 1
                tqdm.write(printable(f"error: {done.reason}"), file=sys.stderr)
                progress.update(done.questions)
                continue
            line = {
                "image": str(done.image),
                **describe_answer(done.answer),
                "file": str(done.file),
            }
            tqdm.write(json.dumps(line), file=sys.stdout)
            progress.update()
    if failed:
        raise UserError(f"{failed} of {len(asked)} pictures could not be asked about.")


def _make_folder(path: Path) -> None:
    """Find out before the models are loaded that nothing can be written."""
    if not is_text(str(path)):
        raise UserError(f"--output {path}: is no valid Unicode; name another folder.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"--output {path}: is no folder that can be made ({error.strerror}); name another."
        ) from error
    if not os.access(path, os.W_OK):
        raise UserError(f"--output {path}: cannot be written into; name another folder.")


def _split(arguments: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """The pictures and the questions, told apart by how they were given."""
    inputs, questions = arguments.inputs, arguments.questions
    if questions is None:
        inputs, questions = inputs[:1], inputs[1:]
        for text in questions:
            # A second picture taken for a question would be asked in vain.
            if text.lower().endswith((*SUFFIXES, ".csv")) or os.path.exists(text):
                arguments.parser.error(
                    f"{text} is a file and no question; with several pictures, ask by --question"
                )
    tables = [place for place in inputs if place.lower().endswith(".csv")]
    if questions and len(tables) == len(inputs):
        arguments.parser.error(f"{tables[0]} brings its own questions; leave out the others")
    if not questions and len(tables) < len(inputs):
        arguments.parser.error(f"nothing is asked of {inputs[0]}; add a question in quotes")
    return [Path(place) for place in inputs], questions
