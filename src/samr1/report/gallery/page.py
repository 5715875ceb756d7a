"""The gallery as one HTML file that needs nothing else: no network, no folder beside it.

Script and style stand in it, and the data in blocks of JSON that a browser does not run and the
page's script reads one by one, as they come to be shown. Questions and answers are anybody's text:
no `<` of theirs reaches the file, so that none can end a block; the script writes them as text,
never as HTML; and the page's own policy lets a browser run this script alone and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from samr1.core.errors import UserError
from samr1.core.files import atomic_file
from samr1.report.gallery import kinds as figure_3
from samr1.report.gallery import records
from samr1.report.gallery.drawing import thumbnail
from samr1.report.gallery.kinds import Kind, has_complex_boundary

_SCRIPTS = ("data.js", "card.js", "list.js", "overview.js", "page.js")
_IMAGES_A_BLOCK = 64  # decoded together, when the first of them is shown


@dataclass(frozen=True)
class Shown:
    """One benchmark of the gallery: its samples, and the predictions of each run, the first first.

    `kinds` are those of Figure 3 that are known of each sample apart from its ground truth.
    """

    name: str
    samples: pa.Table
    predictions: Mapping[str, pa.Table]
    kinds: Sequence[set[Kind]]


def write_gallery(output: Path, benchmarks: Sequence[Shown], root: Path, scale: str) -> None:
    """Write the page; images are read under `root`.

    Raises UserError where a sample is not answered once, or an image cannot be read.
    """
    style, script = _read("page.css"), "".join(_read(name) for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    head, tail = _read("page.html").split("$data\n")
    hashes = {"style_hash": _hash(style), "script_hash": _hash(script)}
    with atomic_file(output) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(Template(head).substitute(hashes, scale=html.escape(scale), style=style))
        for name, content in _blocks(benchmarks, root, scale):
            file.write(f'<script type="application/json" id="{name}">{_json(content)}</script>\n')
        file.write(Template(tail).substitute(script=script))


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(content: Any) -> str:
    """JSON that can stand in a page: without `<`, nothing in it can end its element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _blocks(benchmarks: Sequence[Shown], root: Path, scale: str) -> Iterator[tuple[str, Any]]:
    """The page's data, block by block: id (benchmarks and runs are numbers in it) and content."""
    yield "meta", _meta(benchmarks, scale)
    thumbnails = _Thumbnails(root)
    jobs = sum(len(shown.samples) * (1 + len(shown.predictions)) for shown in benchmarks)
    with tqdm(total=jobs, desc="gallery", unit="row", disable=None) as bar:
        for number, shown in enumerate(benchmarks):
            yield f"questions-{number}", _questions(shown, thumbnails, bar)
            for place, (run, table) in enumerate(shown.predictions.items()):
                yield f"answers-{number}-{place}", _answers(shown, run, table)
                bar.update(len(shown.samples))
    yield from thumbnails.blocks()


def _meta(benchmarks: Sequence[Shown], scale: str) -> dict[str, Any]:
    return {
        "scale": scale,
        "imagesABlock": _IMAGES_A_BLOCK,
        "benchmarks": [
            {
                "name": shown.name,
                "count": len(shown.samples),
                "measure": records.measure_of(shown.samples),
                "runs": list(shown.predictions),
            }
            for shown in benchmarks
        ],
        "kinds": [
            {"key": kind, "title": figure_3.TITLES[kind], "rule": figure_3.RULES[kind]}
            for kind in figure_3.KINDS
        ],
        "outcomes": [
            {"key": outcome, "title": records.TITLES[outcome], "rule": records.RULES[outcome]}
            for outcome in records.OUTCOMES
        ],
    }


class _Thumbnails:
    """The images of all benchmarks, each once: what `number` has seen goes into `blocks`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers: dict[str, int] = {}
        self._images: list[str] = []

    def number(self, sample: Mapping[str, Any]) -> int:
        path = sample["image_path"]
        if path not in self._numbers:
            size = sample["width"], sample["height"]
            data = thumbnail(self._root / path, *size, sample["sample_id"])
            self._numbers[path] = len(self._images)
            self._images.append(base64.b64encode(data).decode())
        return self._numbers[path]

    def blocks(self) -> Iterator[tuple[str, list[str]]]:
        for block, first in enumerate(range(0, len(self._images), _IMAGES_A_BLOCK)):
            yield f"images-{block}", self._images[first : first + _IMAGES_A_BLOCK]


def _questions(shown: Shown, thumbnails: _Thumbnails, bar: tqdm) -> records.Columns:
    rows = []
    known = iter(shown.kinds)
    for batch in shown.samples.to_batches(max_chunksize=256):  # few masks in memory
        for sample in batch.to_pylist():
            truth = records.ground_truth(sample)
            kinds = set(next(known))
            if has_complex_boundary(truth):
                kinds.add("boundaries")
            row = records.question(sample, truth)
            row["image"] = thumbnails.number(sample)
            row["kinds"] = [place for place, kind in enumerate(figure_3.KINDS) if kind in kinds]
            rows.append(row)
            bar.update()
    return records.to_columns(rows)


def _answers(shown: Shown, run: str, table: pa.Table) -> records.Columns:
    try:
        return records.answers(shown.samples, table)
    except UserError as error:
        raise UserError(f"run {run!r} on {shown.name!r}: {error}") from error
