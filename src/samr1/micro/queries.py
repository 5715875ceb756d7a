"""Questions about a scene, in each data set's manner, and the thought that answers them.

RefCOCO may say where ("left circle"), RefCOCO+ may not, RefCOCOg is a longer phrase, and ReasonSeg
needs a step of thought ("the thing that would roll off a table"). Every question has one answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from samr1.micro.scenes import Scene, Thing


@dataclass(frozen=True)
class Question:
    """A query about one thing, with the step of thought that leads to it (`clue`) and `why`."""

    text: str
    target: int
    clue: str
    why: str
    is_sentence: bool = False


# What the world says of a shape or a colour: (query ending, the step of thought).
SHAPE_RIDDLES: dict[str, list[tuple[str, str]]] = {
    "circle": [
        ("would roll off a table", "round things roll"),
        ("is shaped like a full moon", "the full moon is round"),
        ("could serve as a wheel", "wheels are round"),
    ],
    "square": [
        ("looks like a window pane", "window panes are square"),
        ("could be stacked like a box", "boxes are square"),
        ("has four corners", "a square has four corners"),
    ],
    "triangle": [
        ("looks like the roof of a house", "roofs are triangles"),
        ("has the shape of a slice of pizza", "pizza slices are triangles"),
        ("has three corners", "a triangle has three corners"),
    ],
    "star": [
        ("twinkles in the night sky", "stars twinkle"),
        ("tops a christmas tree", "a star tops the tree"),
        ("has five points", "a star has five points"),
    ],
    "cross": [
        ("looks like a plus sign", "a plus sign is a cross"),
        ("marks the sign of a pharmacy", "pharmacies show a cross"),
        ("stands for adding numbers", "adding is written as a cross"),
    ],
}
COLOR_RIDDLES: dict[str, list[tuple[str, str]]] = {
    "red": [
        ("has the colour of a ripe tomato", "tomatoes are red"),
        ("is painted like a fire engine", "fire engines are red"),
    ],
    "green": [
        ("has the colour of grass", "grass is green"),
        ("looks like a leaf in spring", "leaves are green"),
    ],
    "blue": [
        ("has the colour of a clear sky", "the sky is blue"),
        ("is coloured like the deep sea", "the sea is blue"),
    ],
    "yellow": [
        ("has the colour of a lemon", "lemons are yellow"),
        ("is as bright as a banana", "bananas are yellow"),
    ],
    "purple": [
        ("has the colour of a plum", "plums are purple"),
        ("looks like lavender", "lavender is purple"),
    ],
    "white": [
        ("has the colour of snow", "snow is white"),
        ("is as pale as milk", "milk is white"),
    ],
}


def region(thing: Thing, scene: Scene) -> str:
    """The third of the image, along each axis, in which the thing's centre lies."""
    column = ("left", "middle", "right")[min(2, int(3 * thing.center[0] / scene.width))]
    row = ("upper", "middle", "lower")[min(2, int(3 * thing.center[1] / scene.height))]
    return "center" if row == column == "middle" else f"{row} {column}"


def _only(scene: Scene, target: int, test: Callable[[Thing], bool]) -> bool:
    return [i for i, thing in enumerate(scene.things) if test(thing)] == [target]


# The four ends of the axes: name → (coordinate, sign); the first along it by a clear margin.
_ENDS = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1)}


def _end(scene: Scene, target: int, pool: list[int]) -> str | None:
    """The end of the image to which `target` is clearly nearest among `pool`, if there is one."""
    for name, (axis, sign) in _ENDS.items():
        size = (scene.width, scene.height)[axis]
        places = {i: sign * scene.things[i].center[axis] for i in pool}
        others = [place for i, place in places.items() if i != target]
        if others and places[target] < min(others) - 0.15 * size:
            return name
    return None


def _same(scene: Scene, target: int, *, shape: bool, color: bool) -> list[int]:
    thing = scene.things[target]
    return [
        i
        for i, other in enumerate(scene.things)
        if (not shape or other.shape == thing.shape) and (not color or other.color == thing.color)
    ]


def _pick(rng: np.random.Generator, options: list[Question]) -> Question | None:
    return options[int(rng.integers(len(options)))] if options else None


def ask_refcoco(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    """A short phrase that may say where; None where no phrase singles the thing out."""
    thing = scene.things[target]
    options = []
    for words, shape, color in (
        (thing.shape, True, False),
        (f"{thing.color} {thing.shape}", True, True),
        (f"{thing.color} one", False, True),
    ):
        pool = _same(scene, target, shape=shape, color=color)
        if len(pool) == 1:
            options.append(Question(words, target, f"look for the {words}", "it is the only one"))
        elif (end := _end(scene, target, pool)) is not None:
            why = f"it is nearest to the {end}"
            for text in (f"{end} {words}", f"{words} on the {end}"):
                options.append(Question(text, target, f"look for the {text}", why))
    return _pick(rng, options)


def ask_refcoco_plus(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    """A short phrase about looks alone, never about place."""
    thing = scene.things[target]
    options = []
    if len(_same(scene, target, shape=True, color=True)) == 1:
        words = f"{thing.color} {thing.shape}"
        for text in (words, f"the {words}", f"{thing.shape} that is {thing.color}"):
            options.append(Question(text, target, f"look for the {words}", "it is the only one"))
    if len(_same(scene, target, shape=False, color=True)) == 1:
        words = f"{thing.color} one"
        options.append(Question(words, target, f"look for the {words}", "it is the only one"))
    return _pick(rng, options)


def ask_refcocog(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    """A longer phrase: the thing and its place or its neighbour."""
    thing = scene.things[target]
    words = f"{thing.color} {thing.shape}"
    options = []
    pool = _same(scene, target, shape=True, color=True)
    if len(pool) == 1:
        where = region(thing, scene)
        for text in (
            f"the {words} in the {where} of the picture",
            f"a {words} that lies in the {where} part",
        ):
            options.append(Question(text, target, f"look for the {words}", "it is the only one"))
        for i, other in enumerate(scene.things):
            if i == target or len(_same(scene, i, shape=True, color=True)) > 1:
                continue
            side = _side(thing, other, scene)
            text = f"the {words} that is {side} the {other.color} {other.shape}"
            why = f"it is {side} the {other.color} {other.shape}"
            options.append(Question(text, target, f"look for the {words}", why))
    elif (end := _end(scene, target, pool)) is not None:
        text = f"the {words} that is nearest to the {end} of the picture"
        why = f"it is nearest to the {end}"
        options.append(Question(text, target, f"look for the {end} {words}", why))
    return _pick(rng, options)


def _side(thing: Thing, other: Thing, scene: Scene) -> str:
    dx = (thing.center[0] - other.center[0]) / scene.width
    dy = (thing.center[1] - other.center[1]) / scene.height
    if abs(dx) > abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def ask_reasonseg(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    """A riddle about what the thing is like; half of them are whole sentences."""
    thing = scene.things[target]
    riddles: list[tuple[str, str, str]] = []
    if _only(scene, target, lambda other: other.shape == thing.shape):
        riddles += [(*riddle, thing.shape) for riddle in SHAPE_RIDDLES[thing.shape]]
    if _only(scene, target, lambda other: other.color == thing.color):
        riddles += [(*riddle, f"{thing.color} one") for riddle in COLOR_RIDDLES[thing.color]]
    if not riddles:
        return None
    ending, fact, words = riddles[int(rng.integers(len(riddles)))]
    sentence = bool(rng.integers(2))
    if sentence:
        text = f"Which of the things in this picture {ending}?"
    else:
        text = f"the {('thing', 'one')[int(rng.integers(2))]} that {ending}"
    clue = f"{fact} , so look for the {words}"  # from here on as in RefCOCO
    return Question(text, target, clue, "nothing else here is like that", is_sentence=sentence)


Ask = Callable[[np.random.Generator, Scene, int], Question | None]
ASK: dict[str, Ask] = {
    "refcoco": ask_refcoco,
    "refcoco+": ask_refcoco_plus,
    "refcocog": ask_refcocog,
    "reasonseg": ask_reasonseg,
}


def think(scene: Scene, question: Question) -> str:
    """The thought that answers: what is asked, where it is and why it fits; at least 8 words."""
    thing = scene.things[question.target]
    return (
        f"{question.clue} . the {thing.color} {thing.shape} in the {region(thing, scene)} fits "
        f"because {question.why} ."
    )
