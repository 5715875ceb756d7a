"""The lists in a large JSON file, entry by entry: the whole of it would take ten times its size.

The file is mapped into memory, and what was read of it is let go of from time to time.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator, Iterator
from itertools import count
from mmap import ACCESS_READ, MADV_DONTNEED, mmap
from pathlib import Path
from typing import Any, NamedTuple

from samr1.core.errors import ON_INPUT, refusing
from samr1.core.reading import check_file, decode_text, unique_keys

_MOST_BLANKS = 1 << 20
_SPACE = re.compile(rb"[ \t\n\r]{0,%d}" % _MOST_BLANKS)
_MOST_READ = 1 << 26  # bytes of the file that stay in memory
_MOST_WIDE = 1 << 26  # bytes of a file in UTF-16 or UTF-32, which is brought to UTF-8 as a whole
_SIZES = (1 << 12, 1 << 16, 1 << 20, 1 << 24)  # bytes of an entry, tried one after the other
_MOST_ENTRIES = 400_000  # of a public set's file; RefCOCO's have 230,000
_MOST_BRACKETS = 500_000  # in so many bytes: a list takes a hundred where it is parsed
_DECODER = json.JSONDecoder(object_pairs_hook=unique_keys)
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
        self._told = f"{path}: not a JSON file", remedy, ON_INPUT
        check_file(path, most, remedy)
        with refusing(*self._told):
            self._data = _open(path)

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


def _open(path: Path) -> _Bytes:
    if not path.stat().st_size:
        return _Bytes(b"")  # it cannot be mapped
    with path.open("rb") as file:
        data = mmap(file.fileno(), 0, access=ACCESS_READ)
    if not data[:4].strip(b"\0").startswith(_WIDE):
        return _Bytes(data)
    if len(data) > _MOST_WIDE:
        raise ValueError(f"more than {_MOST_WIDE:,} bytes and not in UTF-8")
    return _Bytes(decode_text(data[:]).encode())


class _Bytes:
    """The content of a file; parts of it are copies."""

    def __init__(self, data: bytes | mmap) -> None:
        self.data = data
        self.read = 0

    def __len__(self) -> int:
        return len(self.data)

    def part(self, at: int, size: int) -> bytes:
        """So many bytes from `at` on, or fewer at the end."""
        self._let_go(size)
        return self.data[at : at + size]

    def skip(self, at: int) -> int:
        """The first byte from `at` that is no blank."""
        found = _SPACE.match(self.data, at)
        end = found.end() if found else at
        if end - at == _MOST_BLANKS:
            raise ValueError(f"{_MOST_BLANKS:,} blanks at byte {at}")
        self._let_go(end - at)
        return end

    def _let_go(self, size: int) -> None:
        self.read += size
        if self.read > _MOST_READ and isinstance(self.data, mmap):
            self.data.madvise(MADV_DONTNEED)
            self.read = 0


def _walk(data: _Bytes, lists: set[str | None]) -> Iterator[Entry]:
    at = data.skip(3 if data.part(0, 3) == codecs.BOM_UTF8 else 0)
    if data.part(at, 1) == b"[":
        lists.add(None)
        at = yield from _list(data, at, None)
    elif data.part(at, 1) == b"{":
        at = yield from _object(data, at, lists)
    else:
        raise ValueError("neither a list nor an object")
    if data.skip(at) != len(data):
        raise ValueError(f"something stands behind its end, at byte {at}")


def _list(data: _Bytes, at: int, key: str | None) -> Generator[Entry, None, int]:
    """The entries of the list that opens at `at`; returns where it ends."""
    more, at = _begin(data, at, b"]")
    while more:
        value, end = _value(data, at)
        yield Entry(key, (at, end), value)
        more, at = _go_on(data, end, b"]")
    return at


def _object(data: _Bytes, at: int, lists: set[str | None]) -> Generator[Entry, None, int]:
    """The entries of the lists in an object; what stands under its other keys is passed over."""
    keys = set[str]()
    more, at = _begin(data, at, b"}")
    while more:
        key, end = _value(data, at)
        at = data.skip(end)
        if not isinstance(key, str) or data.part(at, 1) != b":":
            raise ValueError(f"no key and colon at byte {at}")
        if key in keys:
            raise ValueError(f"the key {key[:80]!r} stands twice")
        keys.add(key)
        at = data.skip(at + 1)
        if data.part(at, 1) == b"[":
            lists.add(key)
            end = yield from _list(data, at, key)
        else:
            _, end = _value(data, at)
        more, at = _go_on(data, end, b"}")
    return at


def _begin(data: _Bytes, at: int, closing: bytes) -> tuple[bool, int]:
    """Whether something is in what opens at `at`, and where; else one past its end."""
    at = data.skip(at + 1)
    return (False, at + 1) if data.part(at, 1) == closing else (True, at)


def _go_on(data: _Bytes, at: int, closing: bytes) -> tuple[bool, int]:
    """The same of what comes after a value that ends at `at`."""
    at = data.skip(at)
    if data.part(at, 1) == closing:
        return False, at + 1
    if data.part(at, 1) != b",":
        raise ValueError(f"no comma at byte {at}")
    return True, data.skip(at + 1)


def _value(data: _Bytes, at: int) -> tuple[Any, int]:
    """The value that begins at byte `at`, and where it ends."""
    failure = "ends too early"
    for size in _SIZES:
        part = data.part(at, size)
        if size == _SIZES[-1] and part.count(b"[") + part.count(b"{") > _MOST_BRACKETS:
            raise ValueError(f"more than {_MOST_BRACKETS:,} values in one at byte {at}")
        text = part.decode("utf-8", "surrogateescape")
        try:
            value, end = _DECODER.raw_decode(text)
        except ValueError as error:
            failure = str(error)  # the error itself would keep the text alive
        else:
            if end < len(text) or at + size >= len(data):  # else a number may go on
                return value, at + len(text[:end].encode("utf-8", "surrogateescape"))
        if at + size >= len(data):
            break
    raise ValueError(failure)
