"""From a response's text to the objects that its answer names, by dialect.

Reading is tolerant: text around the JSON, code fences, missing `<answer>` tags, single quotes and
other or additional keys are let pass. Three dialects follow their public evaluation instead:

`seg_zero`: a response without `<think>…</think>` has failed; the first `{…}` of the whole response
    is parsed as it is.
`visual_rft`: the first `(x1,y1),(x2,y2)` of the whole response, whole numbers.
`vlm_r1`: the last `[x1, y1, x2, y2]` of whole numbers that stands inside braces in the first
    `<answer>…</answer>`.

Every step is linear in the text and JSON is read from a bounded window, so that no text, however
long or nested, costs time or raises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Literal

from samr1.config.names import Dialect

Failure = Literal["no_answer", "bad_json", "missing_box"]

# An answer is one short text. What begins further in, or is longer, is not read.
MAX_ANSWER_CHARACTERS = 16_384
MAX_OBJECTS = 16  # how many opening braces are tried
MAX_CHARACTERS = 262_144  # of a response that is searched whole; far beyond the token limits

_NUMBER = r"\s*(\d{1,9})\s*"  # longer ones are no coordinates
_CORNERS = re.compile(rf"\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)")
_LISTED = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")


def read_objects(text: str, dialect: Dialect) -> list[dict[str, Any]] | Failure:
    """The objects of an answer, one at least, each a mapping of JSON keys; or why there is none.

    Where an object has a box, those without one are left out.
    """
    if dialect == "seg_zero":
        return _read_seg_zero(text)
    if dialect == "visual_rft":
        return _as_object(_CORNERS.search(text[:MAX_CHARACTERS]), "<answer>" in text)
    if dialect == "vlm_r1":
        return _read_vlm_r1(text)
    return _read_tolerantly(text)


def box_of(found: dict[str, Any]) -> Any:
    """What stands under the first key that names a box; None where none does."""
    for key, value in found.items():
        if "bbox" in key.lower() or key.lower() == "box":
            return value
    return None


def find_think(text: str) -> str | None:
    """The thought between the first `<think>` and the next `</think>`; None if absent or blank."""
    start = text.find("<think>")
    end = text.find("</think>", start + 7)
    return clean(text[start + 7 : end]) if start >= 0 and end >= 0 else None


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


def _read_seg_zero(text: str) -> list[dict[str, Any]] | Failure:
    """The first `{[^}]+}` of the response, as Seg-Zero's evaluation takes it."""
    if not find_think(text):
        return "no_answer"
    # Found in two steps, because the pattern itself is quadratic on a run of opening braces.
    opening = re.search(r"\{[^}]", text)
    end = text.find("}", opening.end()) if opening else -1
    if opening is None or end < 0:
        return "no_answer"
    value = _decode(text[opening.start() : end + 1][:MAX_ANSWER_CHARACTERS])
    return [value] if isinstance(value, dict) else "bad_json"


def _read_vlm_r1(text: str) -> list[dict[str, Any]] | Failure:
    """The last box between the answer's outer braces: VLM-R1's pattern is greedy."""
    start = text.find("<answer>")
    end = text.find("</answer>", start)
    if start < 0 or end < 0:
        return "no_answer"
    answer = text[start:end][: MAX_ANSWER_CHARACTERS + len("<answer>")]
    inside = answer[answer.find("{") + 1 : answer.rfind("}")] if "{" in answer else ""
    boxes = list(_LISTED.finditer(inside))
    return _as_object(boxes[-1] if boxes else None, answered=True)


def _as_object(corners: re.Match[str] | None, answered: bool) -> list[dict[str, Any]] | Failure:
    if corners is None:
        return "missing_box" if answered else "no_answer"
    return [{"bbox_2d": [int(number) for number in corners.groups()]}]


def _read_tolerantly(text: str) -> list[dict[str, Any]] | Failure:
    """The objects with a box in the answer; failing that, the first object or why not."""
    tag = text.rfind("<answer>")
    start = tag + len("<answer>") if tag >= 0 else max(text.rfind("</think>"), 0)
    end = text.find("</answer>", start)
    window = text[start : len(text) if end < 0 else end][:MAX_ANSWER_CHARACTERS]
    others: list[dict[str, Any]] = []
    boxed: list[dict[str, Any]] = []
    for value in _values(window):
        if isinstance(value, dict):
            (others if box_of(value) is None else boxed).append(value)
        elif finite_numbers(value, 4):  # a bare [x1, y1, x2, y2]
            boxed.append({"bbox_2d": value})
    if boxed or others:
        return boxed or others[:1]
    return "bad_json" if tag >= 0 or "{" in window else "no_answer"


def _values(window: str) -> Iterator[Any]:
    """What can be read as JSON from the first opening braces (brackets where there is no brace)."""
    opening = "{" if "{" in window else "["
    start = -1
    for _ in range(MAX_OBJECTS):
        start = window.find(opening, start + 1)
        if start < 0:
            return
        piece = window[start:]
        value = _decode(piece)
        if value is None and '"' not in piece:
            value = _decode(piece.replace("'", '"'))
        if value is not None:
            yield value


def _decode(text: str) -> Any:
    """The JSON value that `text` begins with; None where there is none, or it nests too deeply."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None
