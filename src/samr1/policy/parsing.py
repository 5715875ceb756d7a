"""From a response's text to the objects that its answer names: what the dialects' readings share.

The answer's form may be off as far as `samr1.policy.lenient_json` lets it be, tags may be missing,
and keys may be others or more. Every step is linear in the text, so that none, however long or
deep, costs time or raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from samr1.policy.lenient_json import BROKEN, Fields, read_values

Failure = Literal[
    "nothing_there",
    "no_answer",
    "bad_json",
    "missing_box",
    "bad_numbers",
    "missing_points",
    "empty_box",
    "too_long",
]
Status = Literal["ok", Failure]
RawObject = dict[str, Any]  # keys as the answer has them; numbers are not looked at yet

# Both protect, and an answer beyond either is refused as `too_long`, never read in part.
MAX_CHARACTERS = 131_072  # some thirty times what 1,024 tokens come to
MAX_OBJECTS = 1_000  # each is a prompt to the segmenter

CORNERS = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)")
"""A box in the notation of Qwen2-VL: `(x1,y1),(x2,y2)`, whole numbers."""


class Written(NamedTuple):
    """The part of a response that should hold its answer."""

    text: str
    tagged: bool  # whether it stands behind <answer>
    cut: bool  # whether no </answer> ends it


def find_think(text: str) -> str | None:
    """The thought between the first `<think>` and the next `</think>`; None if absent or blank."""
    start = text.find("<think>")
    end = text.find("</think>", start + 7)
    return clean(text[start + 7 : end]) if start >= 0 and end >= 0 else None


def find_answer(text: str, *, first: bool = False) -> Written:
    """What stands in the last `<answer>` (the `first` one, if so asked), which need not be closed.

    Without that tag it is what follows the last thought, up to `</answer>`; where there is neither
    tag, a thought that has not ended is none of it.
    """
    tag = text.find("<answer>") if first else text.rfind("<answer>")
    start = tag + len("<answer>") if tag >= 0 else max(text.rfind("</think>"), 0)
    end = text.find("</answer>", start)
    cut = end < 0
    if cut and tag < 0:
        end = text.find("<think>", start)
    return Written(text[start : end if end >= 0 else None], tag >= 0, cut)


def read_one(text: str) -> list[RawObject] | Failure:
    """The one object that the answer names, the first where there are several; or why not."""
    return read_answer(find_answer(text), several=False)


def read_answer(written: Written, *, several: bool) -> list[RawObject] | Failure:
    """The objects of an answer that should be JSON, or the first of them; or why there is none.

    Objects that name a box go before those that do not. With `several`, a list of boxes under one
    key and keys that occur again name several objects, and every box that is whole counts; where
    one object is asked for it must be whole itself, or cut off with the whole answer, so that
    training pays for no broken one.
    """
    text, tagged, cut = written
    if len(text) > MAX_CHARACTERS:
        return "too_long"
    if text.strip() in ("null", "None"):
        return "nothing_there"
    values = read_values(text, cut)
    objects = list(_objects(values))
    named = [one for one in objects if several or one.whole]
    boxed = [one for part in _parts(named, several) for one in _spread(part)]
    if not objects:
        boxed = [{"bbox_2d": box} for value in values for box in boxes_in(value)]
    if len(boxed) > MAX_OBJECTS:
        return "too_long"
    if not boxed and values and all(why_no_box(value) == "nothing_there" for value in values):
        return "nothing_there"
    if boxed or named:
        # Where nothing is said of a box, or only the beginning, another object may say more.
        boxed.sort(key=lambda one: box_failure(one) in ("nothing_there", "bad_json"))
        found = boxed or [dict(one) for one in named[:1]]
        return found if several else found[:1]
    return "bad_json" if tagged or "{" in text else "no_answer"


def read_corners(text: str) -> list[RawObject] | Failure:
    """Every `(x1,y1),(x2,y2)` of a text as a box."""
    if len(text) > MAX_CHARACTERS:
        return "too_long"
    found = [{"bbox_2d": whole_numbers(match)} for match in CORNERS.finditer(text)]
    return "too_long" if len(found) > MAX_OBJECTS else found or "missing_box"


def whole_numbers(match: re.Match[str]) -> list[float]:
    """The groups of a match as numbers; what `int` refuses to convert is as good as infinite."""
    return [math.inf if len(digits) > 4000 else int(digits) for digits in match.groups()]


def _objects(values: list[Any]) -> Iterator[Fields]:
    """All objects among `values`, at any depth, in the order of their opening braces."""
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Fields):
            yield value
        if isinstance(value, Fields | list):
            inner = [one for _, one in value.pairs] if isinstance(value, Fields) else value
            waiting += reversed(inner)


def _parts(named: Iterable[Fields], several: bool) -> Iterator[RawObject]:
    """The objects themselves; with `several`, a key that occurs again begins a further one."""
    for one in named:
        parts: list[dict[str, Any]] = [{}]
        for key, value in one.pairs if several else one.items():
            if key and key in parts[-1]:
                parts.append({})
            parts[-1][key] = value
        yield from parts


def _spread(found: RawObject) -> list[RawObject]:
    """An object that names a box, once for each of its boxes; nothing where it names none.

    Of several boxes each gets its own point where there are as many points.
    """
    key = box_key(found)
    if key is None:
        return []
    boxes = boxes_in(found[key])
    if len(boxes) < 2:
        return [{**found, key: boxes[0]}] if boxes else [found]
    points = {
        name: value
        for name, value in found.items()
        if "point" in name.lower() and isinstance(value, list) and len(value) == len(boxes)
    }
    return [
        {key: box, "label": found.get("label")}
        | {name: [value[i]] for name, value in points.items()}
        for i, box in enumerate(boxes)
    ]


def box_key(found: RawObject) -> str | None:
    """The first key that names a box and holds no text; None where none does."""
    for key, value in found.items():
        name = key.lower()
        names_box = "bbox" in name or "bounding" in name or name in ("box", "boxes", "box_2d")
        if names_box and not isinstance(value, str):
            return key
    return None


def boxes_in(value: Any) -> list[list[Any]]:
    """The lists of four numbers in what stands under a box's key.

    >>> boxes_in([[1, 2, 3, 4], [[5, 6], [7, 8]]])
    [[1, 2, 3, 4], [5, 6, 7, 8]]
    """
    boxes, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            one = [one.get(name) for name in ("x1", "y1", "x2", "y2")]
        if finite_numbers(one, 4):
            boxes.append(one)
        elif isinstance(one, list):
            corners = one[0] + one[1] if _is_two_points(one) else None
            waiting += reversed(one) if corners is None else [corners]
    return boxes


def _is_two_points(value: list[Any]) -> bool:
    return len(value) == 2 and all(finite_numbers(point, 2) for point in value)


def box_failure(found: RawObject) -> Failure | None:
    """Why an object's box cannot be read; None where it can."""
    key = box_key(found)
    if key is None:
        return "missing_box"
    return None if finite_numbers(found[key], 4) else why_no_box(found[key])


def why_no_box(value: Any) -> Literal["nothing_there", "bad_json", "bad_numbers"]:
    """What is the matter with a value that is no box: null and empty lists say "nothing there"."""
    waiting = [value]
    failure: Literal["nothing_there", "bad_numbers"] = "nothing_there"
    while waiting:
        one = waiting.pop()
        if one is BROKEN:
            return "bad_json"
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, Mapping) and one:
            waiting += one.values()
        elif one is not None:
            failure = "bad_numbers"
    return failure


def clean(value: Any) -> str | None:
    """A stripped text that can be written as UTF-8; None where it is no text or blank."""
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode("utf-8").strip() or None


def finite_number(value: Any) -> float | None:
    """A JSON number as a float; None for anything else, booleans and what overflows included.

    >>> finite_number(3), finite_number(True), finite_number("3"), finite_number(10**400)
    (3.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def finite_numbers(value: Any, count: int) -> list[float] | None:
    """A list of exactly `count` finite numbers; None for anything else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    numbers = [number for item in value if (number := finite_number(item)) is not None]
    return numbers if len(numbers) == count else None
