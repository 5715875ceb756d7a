"""Examples of the cold start: pre-training scenes, their dense labels, and well-formed responses.

The scenes come from the seeds of the pre-training split, which no benchmark or training set uses.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from samr1.config.names import POINT_VALUES, DialectName
from samr1.config.pretrain import Habits
from samr1.micro.policy_config import IMAGE_SIZE, MERGE, PATCH
from samr1.micro.queries import ASK, Question
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
from samr1.micro.wholes import PARTS
from samr1.policy.dialects import get_dialect
from samr1.policy.objects import Box, Point
from samr1.pretrain.habits import choose, loosen, think_as

# How often each data set's manner of asking and each dialect is practised.
MANNERS = {"refcocog": 0.5, "refcoco": 0.12, "refcoco+": 0.08, "reasonseg": 0.3}
DIALECT_SHARES: dict[DialectName, float] = {
    "sam_r1": 0.5,
    "sam_r1_points": 0.15,
    "seg_zero": 0.1,
    "vision_reasoner": 0.1,
    "vlm_r1": 0.075,
    "qwen": 0.075,
}
DRAWN = (*SHAPES, *PARTS)  # what a token can cover
CELL = PATCH * MERGE  # pixels a side that one visual token covers
GRID = IMAGE_SIZE // CELL


@dataclass(frozen=True)
class Picture:
    """A scene and its pixels as the policy sees them: uint8 [84, 84, 3]."""

    scene: Scene
    pixels: np.ndarray


@dataclass(frozen=True)
class Example:
    """A question in a dialect and one response to it.

    `found` is the thing that it is of, and `box` that thing's, xyxy in the policy's frame.
    """

    prompt: str
    response: str
    dialect: DialectName
    question: Question
    found: int
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

    A token belongs to the thing that covers most of its cell.
    """
    color, shape = np.zeros(GRID * GRID, np.int64), np.zeros(GRID * GRID, np.int64)
    boxes = np.zeros((GRID * GRID, 4), np.float32)
    best = np.full(GRID * GRID, 0.1)  # a cell hardly touched is ground
    scale = np.array([IMAGE_SIZE / scene.width, IMAGE_SIZE / scene.height])
    for thing in scene.things:
        mask = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        cv2.fillPoly(mask, [np.round(np.array(thing.polygon) * scale).astype(np.int32)], 1)
        cover = mask.reshape(GRID, CELL, GRID, CELL).mean((1, 3)).ravel()
        mine = cover > best
        best[mine] = cover[mine]
        color[mine] = 1 + list(COLORS).index(thing.color)
        shape[mine] = 1 + DRAWN.index(thing.shape)
        boxes[mine] = np.array(to_frame(scene, thing.box), np.float32) / IMAGE_SIZE
    return color, shape, boxes


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
    rng: np.random.Generator, scene: Scene, habits: Habits, dialect: DialectName | None = None
) -> Example:
    """A question about `scene` and a response by somebody of such `habits`."""
    if dialect is None:
        shares = list(DIALECT_SHARES.values())
        dialect = list(DIALECT_SHARES)[int(rng.choice(len(shares), p=shares))]
    question = None
    while question is None:
        manner = list(MANNERS)[int(rng.choice(len(MANNERS), p=list(MANNERS.values())))]
        question = ASK[manner](rng, scene, int(rng.integers(len(scene.things))))
    found = choose(rng, scene, question.target, habits)
    thing = scene.things[found]
    tight = to_frame(scene, thing.box)
    form = get_dialect(dialect)
    response = form.respond(
        think_as(rng, scene, question, found, habits),
        loosen(rng, tight, habits.looseness),
        _points(rng, scene, found, dialect),
        f"{thing.color} {thing.shape}",
    )
    return Example(form.ask(question.text), response, dialect, question, found, tight)
