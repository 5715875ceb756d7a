"""The gallery as one HTML file that needs nothing else: no network, no folder beside it.

Script and style stand in it, and the data in blocks that a browser does not run and the page's
script reads as they come to be shown. Questions and answers are anybody's text: no `<` of theirs
reaches the file, so that none can end a block; the script writes them as text, never as HTML; and
the page's own policy lets a browser run this script alone and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from tqdm import tqdm

from samr1.core.errors import prefix_errors
from samr1.core.files import write_text
from samr1.report.gallery.kinds import KINDS, Kind
from samr1.report.gallery.records import OUTCOMES, list_answers, list_questions
from samr1.report.predictions import Answers, is_of_boxes

_SCRIPTS = ("card.js", "page.js")
_IOU = (
    "Of the answer's mask with the ground truth at the original image's size, ignored pixels "
    "counted as target and an unreadable answer as 0 (protocol seg_zero), or left out on data of "
    "one's own (lisa); on LISA-Grounding, and where a box is all that is known, of the boxes."
)


def write_gallery(
    output: Path,
    benchmarks: Sequence[Answers],
    kinds: Sequence[Sequence[set[Kind]]],
    root: Path,
    scale: str,
    drawn: bool,
) -> None:
    """Write the page: of each run the answers of its first seed; images are read under `root`.

    `kinds` are those of each benchmark's samples that are known apart from their ground truth; what
    is of the drawn world says that it is not comparable with published figures. Raises UserError
    where an answer is broken, or an image cannot be read.
    """
    style, script = _read("page.css"), "".join(_read(name) for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    rules = [*OUTCOMES.values(), *KINDS.values(), ("IoU", _IOU)]
    page = Template(_read("page.html")).substitute(
        scale=html.escape(scale),
        note="Micro world: not comparable with published figures." if drawn else "",
        rules="\n".join(f"<dt>{html.escape(t)}</dt><dd>{html.escape(r)}</dd>" for t, r in rules),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data="\n".join(
            f'<script type="application/json" id="{name}">{_json(content)}</script>'
            for name, content in _blocks(benchmarks, kinds, root)
        ),
    )
    write_text(output, page)


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(content: Any) -> str:
    """JSON that can stand in a page: without `<`, nothing in it can end its element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _blocks(
    benchmarks: Sequence[Answers], kinds: Sequence[Sequence[set[Kind]]], root: Path
) -> Iterator[tuple[str, Any]]:
    """The page's data, block by block: id (benchmarks, runs, images are numbers) and content."""
    yield (
        "meta",
        {
            "benchmarks": [
                {
                    "name": one.title,
                    "runs": list(one.runs),
                    "measures": ["box", "mask"] if is_of_boxes(one.samples) else ["mask", "box"],
                }
                for one in benchmarks
            ],
            "kinds": {kind: title for kind, (title, _) in KINDS.items()},
            "outcomes": {outcome: title for outcome, (title, _) in OUTCOMES.items()},
        },
    )
    images: dict[str, str] = {}
    bar = tqdm(list(zip(benchmarks, kinds, strict=True)), "gallery", unit="benchmark", disable=None)
    for number, (one, known) in enumerate(bar):
        yield f"questions-{number}", list_questions(one.samples, known, root, images)
        for place, (run, tables) in enumerate(one.runs.items()):
            with prefix_errors(f"run {run!r} on {one.title!r}"):
                answers = list_answers(one.samples, tables[0], one.objects)
            yield f"answers-{number}-{place}", answers
    for place, image in enumerate(images.values()):
        yield f"image-{place}", image
