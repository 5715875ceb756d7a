"""The lists in a large JSON file, entry by entry: the whole of it would take ten times its size."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from samr1.core.errors import refusing
from samr1.core.reading import decode_text, read_bytes

_SPACE = re.compile(rb"[ \t\n\r]*")
_SIZES = (1 << 12, 1 << 16, 1 << 20, 1 << 24)  # bytes of an entry, tried one after the other
_MOST_ENTRIES = 400_000  # of a public set's file; RefCOCO's have 230,000
_MOST_BRACKETS = 500_000  # in so many bytes: a list takes a hundred where it is parsed
_DECODER = json.JSONDecoder()
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # those of UTF-32 begin or end with them
Place = tuple[int, int]  # the first byte and one past the last


class Entry(NamedTuple):
    """An entry of a list: the key that the list stands under, where the entry is, and its value."""

    key: str | None  # None where the file is one list
    place: Place
    value: Any


class JsonLists:
    """A JSON file that is a list, or an object of lists and small values."""

    def __init__(
        self, path: Path, most: int, remedy: str, most_entries: int = _MOST_ENTRIES
    ) -> None:
        """Raises UserError where there is no file, or one of more than `most` bytes."""
        self.most_entries = most_entries
        self.keys: set[str | None] = set()
        """Under which the lists stand that were met; None where the file is one."""
        self._told = f"{path}: not a JSON file", remedy
        data = read_bytes(path, most, remedy)
        with refusing(*self._told):
            wide = data[:4].strip(b"\0").startswith(_WIDE)
            self._data = decode_text(data).encode() if wide else data

    def __iter__(self) -> Iterator[Entry]:
        """All entries in order. Raises UserError where the file is broken, or one is too large."""
        entries = _walk(self._data, self.keys)
        for number in count():
            with refusing(*self._told):
                entry = next(entries, None)
                if number == self.most_entries:
                    raise ValueError(f"more than {self.most_entries:,} entries")
            if entry is None:
                return
            yield entry

    def read(self, place: Place) -> Any:
        """The value of the entry at `place`."""
        return _value(self._data, place[0])[0]


def _walk(data: bytes, lists: set[str | None]) -> Iterator[Entry]:
    at = _skip(data, 3 if data.startswith(codecs.BOM_UTF8) else 0)
    if data[at : at + 1] == b"[":
        lists.add(None)
        at = yield from _list(data, at, None)
    elif data[at : at + 1] == b"{":
        at = yield from _object(data, at, lists)
    else:
        raise ValueError("neither a list nor an object")
    if _skip(data, at) != len(data):
        raise ValueError(f"something stands behind its end, at byte {at}")


def _list(data: bytes, at: int, key: str | None) -> Generator[Entry, None, int]:
    """The entries of the list that opens at `at`; returns where it ends."""
    more, at = _begin(data, at, b"]")
    while more:
        value, end = _value(data, at)
        yield Entry(key, (at, end), value)
        more, at = _go_on(data, end, b"]")
    return at


def _object(data: bytes, at: int, lists: set[str | None]) -> Generator[Entry, None, int]:
    """The entries of the lists in an object; what stands under its other keys is passed over."""
    keys = set[str]()
    more, at = _begin(data, at, b"}")
    while more:
        key, end = _value(data, at)
        at = _skip(data, end)
        if not isinstance(key, str) or data[at : at + 1] != b":":
            raise ValueError(f"no key and colon at byte {at}")
        if key in keys:
            raise ValueError(f"the key {key[:80]!r} stands twice")
        keys.add(key)
        at = _skip(data, at + 1)
        if data[at : at + 1] == b"[":
            lists.add(key)
            end = yield from _list(data, at, key)
        else:
            _, end = _value(data, at)
        more, at = _go_on(data, end, b"}")
    return at


def _begin(data: bytes, at: int, closing: bytes) -> tuple[bool, int]:
    """Whether something is in what opens at `at`, and where; else one past its end."""
    at = _skip(data, at + 1)
    return (False, at + 1) if data[at : at + 1] == closing else (True, at)


def _go_on(data: bytes, at: int, closing: bytes) -> tuple[bool, int]:
    """The same of what comes after a value that ends at `at`."""
    at = _skip(data, at)
    if data[at : at + 1] == closing:
        return False, at + 1
    if data[at : at + 1] != b",":
        raise ValueError(f"no comma at byte {at}")
    return True, _skip(data, at + 1)


def _value(data: bytes, at: int) -> tuple[Any, int]:
    """The value that begins at byte `at`, and where it ends."""
    failure = ValueError("ends too early")
    for size in _SIZES:
        part = data[at : at + size]
        if size == _SIZES[-1] and part.count(b"[") + part.count(b"{") > _MOST_BRACKETS:
            raise ValueError(f"more than {_MOST_BRACKETS:,} values in one at byte {at}")
        text = part.decode("utf-8", "surrogateescape")
        try:
            value, end = _DECODER.raw_decode(text)
        except ValueError as error:
            failure = error
        else:
            if end < len(text) or at + size >= len(data):  # else a number may go on
                return value, at + len(text[:end].encode("utf-8", "surrogateescape"))
        if at + size >= len(data):
            break
    raise failure


def _skip(data: bytes, at: int) -> int:
    """The first byte from `at` that is no blank."""
    found = _SPACE.match(data, at)
    return found.end() if found else at
