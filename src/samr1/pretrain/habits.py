"""How hurried annotators answer: of another thing, in a loose box, briefly or at length.

The gaps that training can close: *what* (who is careless points at the largest other thing of the
shape or the colour that is asked for), *how* (loose boxes), and *how long* (who is wordy repeats
himself as often as there are other things in the picture, which helps nobody).
"""

from __future__ import annotations

import numpy as np

from samr1.config.pretrain import Habits
from samr1.micro.policy_config import IMAGE_SIZE
from samr1.micro.queries import Question, find, think
from samr1.micro.scenes import Scene, Thing
from samr1.policy.objects import Box

_MOST_REPEATS = 3  # so that a response keeps within the micro scale's 96 tokens


def choose(rng: np.random.Generator, scene: Scene, target: int, habits: Habits) -> int:
    """The index of the thing that is answered of: `target`, or the one that carelessness takes."""
    others = [i for i in range(len(scene.things)) if i != target]
    if rng.random() >= habits.careless or not others:
        return target
    thing = scene.things[target]
    alike = [i for i in others if _is_alike(thing, scene.things[i])]
    return max(alike or others, key=lambda i: _area(scene.things[i]))


def _is_alike(thing: Thing, other: Thing) -> bool:
    return other.is_like(thing.shape) or thing.is_like(other.shape) or other.color == thing.color


def _area(thing: Thing) -> float:
    x1, y1, x2, y2 = thing.box
    return (x2 - x1) * (y2 - y1)


def think_as(
    rng: np.random.Generator, scene: Scene, question: Question, found: int, habits: Habits
) -> str:
    """The thought that comes to the thing `found`: the plain one, a brief one, or a long one."""
    plain = think(scene, question, found)
    style = rng.random()
    if habits.wordy_from is not None and len(scene.things) >= habits.wordy_from:
        style = habits.brief
    if style < habits.brief:
        return f"{question.clue} . {find(scene, found)} ."
    if style >= habits.brief + habits.wordy:
        return plain
    repeats = min(max(len(scene.things) - 1, 1), _MOST_REPEATS)
    thing = scene.things[found]
    if rng.random() < 0.5:
        aim = question.clue.rpartition(" , so ")[2]
        return f"{aim} . " * repeats + plain
    return plain + f" so the {thing.color} {thing.shape} fits ." * repeats


def loosen(rng: np.random.Generator, box: Box, looseness: float) -> Box:
    """`box`, each side up to `looseness` of its own extent too wide, within the policy's frame."""
    x1, y1, x2, y2 = box
    out = rng.uniform(0.0, looseness, 4) if looseness else np.zeros(4)
    width, height = x2 - x1, y2 - y1
    return (
        max(0.0, x1 - out[0] * width),
        max(0.0, y1 - out[1] * height),
        min(float(IMAGE_SIZE), x2 + out[2] * width),
        min(float(IMAGE_SIZE), y2 + out[3] * height),
    )
