"""JSON as policies write it: read as far as it is whole, however broken what stands around it.

Valid JSON is read as `json` reads it, but that every number is a float and that nothing is opened
deeper than `MAX_DEPTH`. Beyond that are let pass: single and typographic quotes and any quote
inside of a text, Python's tuples and literals, keys without quotes, full-width punctuation, stray
commas, comments, one level of escaping, prose around, brackets that do not match, and an end that
is missing. What is cut or doubtful never becomes a number: a list that was not closed, has a hole
between commas or two values without one, holds `BROKEN`, and the objects around it are not `whole`.

A text is read once from left to right and without recursion: time and memory are linear in it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

MAX_DEPTH = 100

BROKEN: Final = object()
"""Stands in a list whose values cannot be relied on, so that it is no box and no point."""

_OPENING = re.compile(r"[{\[]")  # what begins a value in prose
_TOKEN = re.compile(
    r"""[{}\[\](),，:：#]|//|/\*|\\["']|["'“”‘’]|[^\W\d]\w*"""
    r"""|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"""
)
_OPENS = {"}": "{", "]": "[", ")": "("}
_COMMENTS = {"//": "\n", "#": "\n", "/*": "*/"}  # and what ends them
_WORDS: dict[str, Any] = {"null": None, "None": None}
_WORDS |= {"true": True, "True": True, "false": False, "False": False}
_WORDS |= dict.fromkeys(("NaN", "nan", "Infinity", "inf"), math.nan)  # infinite is no number either

# A quote ends a text only where punctuation, a comment or the end follows: those of a label's own
# words do not. Possessive, so that nothing is tried twice.
_AFTER = r"(?=\s*+(?:[,，:：}\])/#]|\Z))"
_TEXTS = {
    opening: re.compile(rf"((?:[^{quotes}\\]|\\.|[{quotes}](?!{_AFTER}))*+)[{quotes}]", re.DOTALL)
    for quotes in ('"', "'", "“”", "‘’")
    for opening in quotes
}
_TEXTS |= {
    f"\\{quote}": re.compile(rf"((?:[^\\]|\\(?!{quote}{_AFTER}))*+)\\{quote}", re.DOTALL)
    for quote in "\"'"
}


class _Word(str):
    """A text without quotes: a key, or a value where there is no better one."""


class Fields(dict[str, Any]):
    """A JSON object: as a mapping the last value of each key; `pairs` has repeated keys too.

    What stands in it without a key has the key "". It is `whole` where it and all in it was closed
    and no list in it is broken, or where nothing but the text's end is at fault.
    """

    def __init__(self, pairs: list[tuple[str, Any]], whole: bool) -> None:
        super().__init__(pairs)
        self.pairs, self.whole = pairs, whole


@dataclass(slots=True)
class _Open:
    """A bracket that is not closed yet."""

    bracket: str
    items: list[Any] = field(default_factory=list)  # values; of an object (key, value)
    key: str | None = None
    values: list[Any] = field(default_factory=list)  # since the last comma, or the key's colon
    broken: bool = False

    def comma(self) -> None:
        if self.bracket != "{" and not self.values:
            self.break_list()
        self.end_item()

    def break_list(self) -> None:
        self.items.append(BROKEN)
        self.broken = True

    def end_item(self) -> None:
        if self.bracket != "{":
            self.items += self.values
            if len(self.values) > 1:
                self.break_list()
        elif self.key is not None or self.values:
            values = [value for value in self.values if not isinstance(value, _Word)]
            first, *more = values or self.values[:1] or [BROKEN]
            self.items += [(self.key or "", first), *(("", value) for value in more)]
        self.key, self.values = None, []

    def start_value(self) -> None:
        """After a colon: the text before it is a key, and what stands before that an item."""
        if self.bracket == "{" and self.values and isinstance(self.values[-1], str):
            key = self.values.pop()
            self.end_item()
            self.key = key

    def close(self, closed: bool, cut: bool) -> Any:
        self.end_item()
        if not closed:
            self.broken = self.broken or not cut
            if self.bracket != "{":
                self.items.append(BROKEN)
        return Fields(self.items, whole=not self.broken) if self.bracket == "{" else self.items


def read_values(text: str, cut: bool = False) -> list[Any]:
    """The objects (`Fields`) and lists that stand in `text`, one after the other.

    `cut` says that the text was cut off, so that what is open at its end is no fault.

    >>> read_values("see {'box': (1, 2,), a: None} and [3 4]")[0]
    {'box': [1.0, 2.0], 'a': None}
    """
    found: list[Any] = []
    stack: list[_Open] = []
    brackets = Counter[str]()  # that are open
    endless = set[str]()  # quotes and comments that nothing ends any more

    def close(bracket: str | None) -> None:
        """Close all down to the innermost such bracket; with None, down to the last."""
        while stack:
            last = stack.pop()
            brackets[last.bracket] -= 1
            value = last.close(last.bracket == bracket, cut=cut and bracket is None)
            (stack[-1].values if stack else found).append(value)
            if stack:
                stack[-1].broken |= last.broken
            if last.bracket == bracket:
                return

    position = 0
    while match := (_TOKEN if stack else _OPENING).search(text, position):
        token, position = match[0], match.end()
        if token in "{[(":
            if len(stack) < MAX_DEPTH:
                stack.append(_Open(token))
                brackets[token] += 1
        elif token in _OPENS:
            if brackets[_OPENS[token]]:
                close(_OPENS[token])
        elif token in ",，":
            stack[-1].comma()
        elif token in ":：":
            stack[-1].start_value()
        elif token in _TEXTS:
            if token in endless or text[match.start() - 1].isalnum():  # an apostrophe
                continue
            if closed := _TEXTS[token].match(text, position):
                stack[-1].values.append(_unescape(closed[1]))
                position = closed.end()
            else:
                endless.add(token)
        elif token in _COMMENTS:
            end = -1 if token in endless else text.find(_COMMENTS[token], position)
            endless |= {token} if end < 0 else set()
            position = position if end < 0 else end + len(_COMMENTS[token])
        elif token[0] in "-0123456789":
            stack[-1].values.append(float(token))
        else:
            stack[-1].values.append(_WORDS.get(token, _Word(token)))
    close(None)
    return found


def _unescape(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
