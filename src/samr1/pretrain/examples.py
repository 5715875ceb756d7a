"""Examples of the cold start: pre-training scenes, their dense labels, and well-formed responses.

The scenes come from the seeds of the pre-training split, which no benchmark or training set uses.
Boxes can be drawn loosely, as hurried annotators draw them: each side up to a share of the box's
own extent too wide. That is the gap which a mask reward closes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from samr1.config.names import POINT_VALUES, DialectName
from samr1.micro.policy_config import IMAGE_SIZE, MERGE, PATCH
from samr1.micro.queries import ASK, Question, think
from samr1.micro.scenes import (
    COLORS,
    SHAPES,
    Scene,
    Thing,
    draw_scene,
    encode_jpeg,
    generator,
    render,
)
from samr1.policy.dialects import get_dialect
from samr1.policy.objects import Box, Point

# How often each data set's manner of asking and each dialect is practised.
MANNERS = {"refcocog": 0.35, "refcoco": 0.2, "refcoco+": 0.1, "reasonseg": 0.35}
DIALECT_SHARES: dict[DialectName, float] = {
    "sam_r1": 0.5,
    "sam_r1_points": 0.15,
    "seg_zero": 0.1,
    "vision_reasoner": 0.1,
    "vlm_r1": 0.075,
    "qwen": 0.075,
}
CELL = PATCH * MERGE  # pixels a side that one visual token covers
GRID = IMAGE_SIZE // CELL


@dataclass(frozen=True)
class Picture:
    """A scene and its pixels as the policy sees them: uint8 [84, 84, 3]."""

    scene: Scene
    pixels: np.ndarray


@dataclass(frozen=True)
class Example:
    """A question in a dialect and one good response to it; `box` xyxy in the policy's frame."""

    prompt: str
    response: str
    dialect: DialectName
    question: Question
    box: Box


def draw_picture(index: int) -> Picture:
    """The `index`-th picture of the pre-training split."""
    scene = draw_scene(generator("pretrain", "picture", index))
    image = Image.open(io.BytesIO(encode_jpeg(render(scene))))
    small = image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    return Picture(scene, np.asarray(small))


def to_frame(scene: Scene, box: Box) -> Box:
    """A box from pixels of the original to pixels of the policy's frame."""
    sx, sy = IMAGE_SIZE / scene.width, IMAGE_SIZE / scene.height
    return box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy


def dense_labels(scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each visual token covers: colour and shape ids [36] (0 none), box [36, 4] in 0–1.

    A token belongs to the thing whose box covers most of its cell.
    """
    color, shape = np.zeros(GRID * GRID, np.int64), np.zeros(GRID * GRID, np.int64)
    boxes = np.zeros((GRID * GRID, 4), np.float32)
    best = np.full(GRID * GRID, 0.15)  # a cell hardly touched is ground
    edges = np.arange(GRID) * CELL
    for thing in scene.things:
        x1, y1, x2, y2 = to_frame(scene, thing.box)
        wide = np.clip(np.minimum(edges + CELL, x2) - np.maximum(edges, x1), 0, None)
        high = np.clip(np.minimum(edges + CELL, y2) - np.maximum(edges, y1), 0, None)
        cover = (high[:, None] * wide[None, :]).ravel() / CELL**2
        mine = cover > best
        best[mine] = cover[mine]
        color[mine] = 1 + list(COLORS).index(thing.color)
        shape[mine] = 1 + SHAPES.index(thing.shape)
        boxes[mine] = np.array([x1, y1, x2, y2], np.float32) / IMAGE_SIZE
    return color, shape, boxes


def _loosen(rng: np.random.Generator, box: Box, looseness: float) -> Box:
    x1, y1, x2, y2 = box
    out = rng.uniform(0.0, looseness, 4) if looseness else np.zeros(4)
    width, height = x2 - x1, y2 - y1
    return (
        max(0.0, x1 - out[0] * width),
        max(0.0, y1 - out[1] * height),
        min(float(IMAGE_SIZE), x2 + out[2] * width),
        min(float(IMAGE_SIZE), y2 + out[3] * height),
    )


def _point(rng: np.random.Generator, scene: Scene, thing: Thing, value: int) -> Point:
    """A point near the thing's centre, in the policy's frame."""
    angle, reach = rng.uniform(0, 2 * np.pi), 0.3 * thing.radius * np.sqrt(rng.random())
    x = (thing.center[0] + reach * np.cos(angle)) * IMAGE_SIZE / scene.width
    y = (thing.center[1] + reach * np.sin(angle)) * IMAGE_SIZE / scene.height
    return float(x), float(y), value


def _points(
    rng: np.random.Generator, scene: Scene, target: int, dialect: DialectName
) -> list[Point]:
    """One or two points on the target; where they have values, now and then the second off it."""
    points = [_point(rng, scene, scene.things[target], 1)]
    if get_dialect(dialect).points < 2:
        return points
    others = [thing for i, thing in enumerate(scene.things) if i != target]
    if dialect in POINT_VALUES and others and rng.random() < 0.3:
        return [*points, _point(rng, scene, others[int(rng.integers(len(others)))], 0)]
    return [*points, _point(rng, scene, scene.things[target], 1)]


def make_example(
    rng: np.random.Generator, scene: Scene, looseness: float, dialect: DialectName | None = None
) -> Example:
    """A question about `scene` and a response, boxes loosened by `looseness`."""
    if dialect is None:
        shares = list(DIALECT_SHARES.values())
        dialect = list(DIALECT_SHARES)[int(rng.choice(len(shares), p=shares))]
    question = None
    while question is None:
        manner = list(MANNERS)[int(rng.choice(len(MANNERS), p=list(MANNERS.values())))]
        question = ASK[manner](rng, scene, int(rng.integers(len(scene.things))))
    thing = scene.things[question.target]
    tight = to_frame(scene, thing.box)
    form = get_dialect(dialect)
    response = form.respond(
        think(scene, question),
        _loosen(rng, tight, looseness),
        _points(rng, scene, question.target, dialect),
        f"{thing.color} {thing.shape}",
    )
    return Example(form.ask(question.text), response, dialect, question, tight)
