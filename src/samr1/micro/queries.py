"""Questions about a scene, in each data set's manner, and the thought that answers them.

RefCOCO may say where ("left circle"), RefCOCO+ may not, RefCOCOg is a longer phrase, by relation
alone wherever there is one ("the star left of the cross"), and ReasonSeg needs a step of thought
("the thing that would roll off a table", "the part that keeps the rain off the house"). Every
question has one answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from samr1.micro.riddles import COLOR_RIDDLES, PART_RIDDLES, SHAPE_RIDDLES
from samr1.micro.scenes import Scene, Thing


@dataclass(frozen=True)
class Question:
    """A query about one thing, with the step of thought that leads to it (`clue`) and `why`."""

    text: str
    target: int
    clue: str
    why: str
    is_sentence: bool = False


def region(thing: Thing, scene: Scene) -> str:
    """The third of the image, along each axis, in which the thing's centre lies."""
    column = ("left", "middle", "right")[min(2, int(3 * thing.center[0] / scene.width))]
    row = ("upper", "middle", "lower")[min(2, int(3 * thing.center[1] / scene.height))]
    return "center" if row == column == "middle" else f"{row} {column}"


# So many things are singled out by their look that few questions would else be by relation alone.
_LOOK_SHARE = 0.35


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
        if (not shape or other.is_like(thing.shape)) and (not color or other.color == thing.color)
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
    """A longer phrase: by relation alone where that can be, and else, now and then, by look."""
    related = list(by_relation(scene, target))
    if related and rng.random() < 0.9:
        return _pick(rng, related)
    return _ask_by_look(rng, scene, target) if rng.random() < _LOOK_SHARE else None


def by_relation(scene: Scene, target: int) -> Iterator[Question]:
    """Phrases whose words fit several things, of which one alone stands so to a neighbour."""
    thing = scene.things[target]
    for words, shape, color in (
        (thing.shape, True, False),
        (f"{thing.color} one", False, True),
        ("thing", False, False),
    ):
        alike = set(_same(scene, target, shape=shape, color=color)) - {target}
        for i, neighbour in enumerate(scene.things):
            rivals = [scene.things[j] for j in alike - {i}]
            if i == target or not rivals or (thing.whole and neighbour.whole):
                continue  # the parts of a whole are no neighbours
            place = f"the {{}} is in the {region(neighbour, scene)}"
            for relation in _relations(thing, neighbour, rivals, scene):
                for name in _names(scene, i):
                    yield Question(
                        f"the {words} {relation} the {name}",
                        target,
                        f"{place.format(name)} , so look for the {words} {relation} it",
                        f"it is {relation} the {name}",
                    )


def _relations(thing: Thing, other: Thing, rivals: list[Thing], scene: Scene) -> list[str]:
    """How a thing stands to `other` as none of its rivals might be said to."""
    dx, dy = _offset(thing, other, scene)
    wide, narrow = max(abs(dx), abs(dy)), min(abs(dx), abs(dy))
    offsets = [_offset(rival, other, scene) for rival in rivals]
    found = []
    side = _side(thing, other, scene)
    axis, sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}[side]
    if wide > max(0.12, 1.2 * narrow) and all(sign * offset[axis] < 0.04 for offset in offsets):
        found.append(side)
    if math.hypot(dx, dy) < 0.65 * min(math.hypot(*offset) for offset in offsets):
        found.append("next to")
    return found


def _names(scene: Scene, index: int) -> list[str]:
    """The shortest names that single a thing out: its shape, its colour."""
    thing = scene.things[index]
    by_shape = _same(scene, index, shape=True, color=False) == [index]
    by_color = _same(scene, index, shape=False, color=True) == [index]
    return [thing.shape] * by_shape + [f"{thing.color} one"] * by_color


def _ask_by_look(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    """The thing by colour and shape, with its place or its neighbour."""
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


def _offset(thing: Thing, other: Thing, scene: Scene) -> tuple[float, float]:
    """From `other` to `thing`, as shares of the image's sides."""
    dx = (thing.center[0] - other.center[0]) / scene.width
    dy = (thing.center[1] - other.center[1]) / scene.height
    return dx, dy


def _side(thing: Thing, other: Thing, scene: Scene) -> str:
    dx, dy = _offset(thing, other, scene)
    if abs(dx) > abs(dy):
        return "left of" if dx < 0 else "right of"
    return "above" if dy < 0 else "below"


def ask_reasonseg(rng: np.random.Generator, scene: Scene, target: int) -> Question | None:
    """A riddle about what the thing is like or is for; half of them are whole sentences."""
    thing = scene.things[target]
    riddles: list[tuple[str, str, str]] = []
    if thing.whole is not None:
        return _ask_for_part(rng, thing, target)
    if _same(scene, target, shape=True, color=False) == [target]:
        riddles += [(*riddle, thing.shape) for riddle in SHAPE_RIDDLES[thing.shape]]
    if _same(scene, target, shape=False, color=True) == [target]:
        riddles += [(*riddle, f"{thing.color} one") for riddle in COLOR_RIDDLES[thing.color]]
    if not riddles:
        return None
    ending, fact, words = riddles[int(rng.integers(len(riddles)))]
    sentence = bool(rng.integers(2))
    if sentence:
        text = f"Which of the things in this picture {ending}?"
    else:
        text = f"the {('thing', 'one')[int(rng.integers(2))]} that {ending}"
    return _solve(text, target, fact, words, sentence)


def _ask_for_part(rng: np.random.Generator, part: Thing, target: int) -> Question:
    """A part of the scene's only whole, by what it is for or by its name."""
    riddles = PART_RIDDLES[part.shape]
    chosen = int(rng.integers(len(riddles) + 1))
    sentence = bool(rng.integers(2))
    if chosen == len(riddles):
        name, fact = f"the {part.shape} of the {part.whole}", f"the {part.whole} has a {part.shape}"
        text = f"Where is {name} in this picture?" if sentence else name
    else:
        ending, fact = riddles[chosen]
        asked = f"Which part in this picture {ending}?"
        text = asked if sentence else f"the part that {ending}"
    return _solve(text, target, fact, part.shape, sentence)


def _solve(text: str, target: int, fact: str, words: str, is_sentence: bool) -> Question:
    clue = f"{fact} , so look for the {words}"  # from here on as in RefCOCO
    return Question(text, target, clue, "nothing else here is like that", is_sentence)


Ask = Callable[[np.random.Generator, Scene, int], Question | None]
ASK: dict[str, Ask] = {
    "refcoco": ask_refcoco,
    "refcoco+": ask_refcoco_plus,
    "refcocog": ask_refcocog,
    "reasonseg": ask_reasonseg,
}


def find(scene: Scene, found: int) -> str:
    """What is found, and where: the words that a thought comes to."""
    thing = scene.things[found]
    return f"the {thing.color} {thing.shape} in the {region(thing, scene)} fits"


def think(scene: Scene, question: Question, found: int | None = None) -> str:
    """The thought that comes to the thing `found` (None: the right one), at least 8 words long."""
    index = question.target if found is None else found
    return f"{question.clue} . {find(scene, index)} because {question.why} ."
