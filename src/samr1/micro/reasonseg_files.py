"""ReasonSeg's file layout: one JPEG and one JSON an image.

Its JSON has the thing asked about alone. What else is in the picture, which the public set does not
say, stands beside the split's folder in a COCO file, `instances_<split>.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from samr1.micro.queries import Question, ask_reasonseg
from samr1.micro.refer_files import ReferSet
from samr1.micro.scenes import Scene, draw_scene, encode_jpeg, generator, render

_TEXTS = 3  # at most, for an image whose texts are phrases
_EMPTY = (137, 311)  # images of the test split without a polygon: the official one has two
Corners = list[tuple[float, float]]


def write_reasonseg_split(folder: Path, split: str, size: int, seed: int) -> None:
    """Write `size` images of one split, each with one thing asked about."""
    folder.mkdir(parents=True)
    bar = tqdm(total=size, desc=f"drawing ReasonSeg {split}", unit="image", disable=None)
    everything = ReferSet("ReasonSeg", split)
    for written, (rng, scene, questions) in enumerate(islice(_asked(split, seed), size)):
        name = f"{written:06d}"
        shapes = _shapes(rng, scene, questions[0].target)
        if split == "test" and written in _EMPTY:
            shapes = [shape for shape in shapes if shape["label"] == "flag"]
        annotation = {
            "text": [question.text for question in questions],
            "is_sentence": questions[0].is_sentence,
            "shapes": shapes,
        }
        (folder / f"{name}.jpg").write_bytes(encode_jpeg(render(scene)))
        (folder / f"{name}.json").write_text(json.dumps(annotation), encoding="utf-8")
        everything.add_image(written, f"{name}.jpg", split, scene, [])
        bar.update()
    bar.close()
    everything.write_instances(folder.with_name(f"instances_{split}.json"))


def draw_reasonseg_scenes(split: str, seed: int) -> Iterator[Scene]:
    """The scenes of a split's images in the order of their names, without end."""
    return (scene for _, scene, _ in _asked(split, seed))


def _asked(split: str, seed: int) -> Iterator[tuple[np.random.Generator, Scene, list[Question]]]:
    """The scenes about which something can be asked, each with its generator and questions."""
    for index in count():
        rng = generator("world", seed, "reasonseg", split, index)
        scene = draw_scene(rng)
        questions = _ask(rng, scene)
        if questions:
            yield rng, scene, questions


def _ask(rng: np.random.Generator, scene: Scene) -> list[Question]:
    """One sentence, or up to three different phrases, about one thing; none where none can be."""
    target = int(rng.integers(len(scene.things)))
    first = ask_reasonseg(rng, scene, target)
    if first is None or first.is_sentence:
        return [] if first is None else [first]
    asked = {first.text: first}
    for _ in range(_TEXTS - 1):
        other = ask_reasonseg(rng, scene, target)
        if other is not None and not other.is_sentence:
            asked[other.text] = other
    return list(asked.values())


def _shapes(rng: np.random.Generator, scene: Scene, target: int) -> list[dict[str, Any]]:
    """The target, now and then in two polygons; sometimes with an ignored or a flagged region."""
    thing = scene.things[target]
    outline: Corners = list(thing.polygon)
    chance = rng.random()
    shapes = []
    if chance < 0.08:  # two halves that overlap by two pixels
        middle = thing.center[0]
        shapes += [_shape("target", _cut(outline, middle + 1, keep=-1))]
        shapes += [_shape("target", _cut(outline, middle - 1, keep=1))]
    else:
        shapes.append(_shape("target", outline))
    if chance > 0.9:
        x1, y1, x2, y2 = thing.box
        side = min(x2 - x1, y2 - y1) / 4
        corner = [(x2 - side, y2 - side), (x2, y2 - side), (x2, y2), (x2 - side, y2)]
        shapes.append(_shape("ignore", corner))
    if rng.random() < 0.1:
        shapes.append(_shape("flag", [(0.0, 0.0), (6.0, 0.0), (6.0, 6.0), (0.0, 6.0)]))
    return shapes


def _shape(label: str, corners: Corners) -> dict[str, Any]:
    points = [[round(x, 2), round(y, 2)] for x, y in corners]
    return {"label": label, "shape_type": "polygon", "points": points}


def _cut(corners: Corners, at: float, keep: int) -> Corners:
    """The part of a polygon on one side of the vertical line x = `at` (keep −1: left, 1: right)."""
    kept: Corners = []
    for (x, y), (next_x, next_y) in zip(corners, corners[1:] + corners[:1], strict=True):
        if keep * (x - at) >= 0:
            kept.append((x, y))
        if (x - at) * (next_x - at) < 0:
            share = (at - x) / (next_x - x)
            kept.append((at, y + share * (next_y - y)))
    return kept
