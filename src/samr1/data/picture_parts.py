"""The parts of a picture's file, looked through before a decoder sees it.

Decoders walk through every part, keep it, and go over the whole picture once more for each scan: a
few megabytes of parts that no camera or program writes would take minutes or gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from mmap import mmap
from typing import Literal

Content = bytes | mmap
Order = Literal["big", "little"]

# What decoders hold, in bytes a pixel.
_PIXELS = 4
_WAITING = 12  # and beside them what waits for later scans, or a strip as large as the picture
_CANVASES = 16

_MOST_SEGMENTS = 512  # of a JPEG; those of Photoshop have a hundred
_MOST_SCANS = 64  # the usual progressive ones have ten
_MOST_PARTS = 65_536  # of the other formats: at 4 kB, those of a picture of 270 MB
_MOST_VALUES = 1_000_000  # numbers of one tag: a strip a row has as many as rows
_MOST_EXIF = 4_000_000  # bytes
_MOST_RUNS = 16_000_000  # bytes of a BMP's run lengths, which Pillow reads in Python
_MOST_JUNK = 65_536  # bytes between parts

_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_NO_PIXELS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # what does not stand in a scan
_ALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_SCAN = 0xDA


def look_through(content: Content) -> int:
    """How many bytes a pixel the decoder of a picture holds.

    Raises ValueError where its file has more parts than a picture's.
    """
    for starts, look in _KINDS:
        if content[:4].startswith(starts):
            return look(content)
    return _PIXELS


def _number(content: Content, at: int, size: int, order: Order = "big") -> int:
    return int.from_bytes(content[at : at + size], order)


def _refuse(most: int, what: str) -> ValueError:
    return ValueError(f"more than {most:,} {what}")


def _look_at_jpeg(content: Content) -> int:
    at, segments, scans, junk, components, held = 2, 0, 0, 0, 0, _PIXELS
    while found := (_NO_PIXELS if scans else _MARKER).search(content, at):
        junk += 0 if scans else found.start() - at
        if junk > _MOST_JUNK:
            raise _refuse(_MOST_JUNK, "bytes that belong to nothing")
        code, at = found[0][1], found.end()
        segments += 1
        if segments > _MOST_SEGMENTS:
            raise _refuse(_MOST_SEGMENTS, "segments")
        if code in _FRAMES:
            components = _number(content, at + 7, 1)
            held = _WAITING if code in _PROGRESSIVE else held
        elif code == _SCAN:
            scans += 1
            held = _WAITING if _number(content, at + 2, 1) < components else held
            if scans > _MOST_SCANS:
                raise _refuse(_MOST_SCANS, "scans")
        if code == 0xD9 and scans:
            return held
        at += 0 if code in _ALONE else _number(content, at, 2)
    if not scans and len(content) - at > _MOST_JUNK:
        raise _refuse(_MOST_JUNK, "bytes that belong to nothing")
    return held


def _look_at_png(content: Content) -> int:
    at = 8
    for _ in range(_MOST_PARTS):
        length, kind = _number(content, at, 4), content[at + 4 : at + 8]
        if kind == b"eXIf" and length > _MOST_EXIF:
            raise _refuse(_MOST_EXIF, "bytes of EXIF data")
        if kind in (b"IEND", b""):
            return _PIXELS
        at += 12 + length
    raise _refuse(_MOST_PARTS, "chunks")


def _look_at_webp(content: Content) -> int:
    at = 12
    for _ in range(_MOST_PARTS):
        kind, length = content[at : at + 4], _number(content, at + 4, 4, "little")
        if kind == b"EXIF" and length > _MOST_EXIF:
            raise _refuse(_MOST_EXIF, "bytes of EXIF data")
        if not kind:
            return _CANVASES
        at += 8 + length + length % 2
    raise _refuse(_MOST_PARTS, "chunks")


def _look_at_gif(content: Content) -> int:
    """What comes before the first picture."""
    flags = _number(content, 10, 1)
    at = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    extends = False
    for _ in range(_MOST_PARTS):
        if extends:
            length = _number(content, at, 1)
            at, extends = at + 1 + length, length > 0
            continue
        sign = content[at : at + 1]
        if sign in (b",", b";", b""):
            return _PIXELS
        extends = sign == b"!"
        at += 1 + extends
    raise _refuse(_MOST_PARTS, "blocks")


def _look_at_bmp(content: Content) -> int:
    header, compression = (_number(content, at, 4, "little") for at in (14, 30))
    in_runs = header >= 40 and compression in (1, 2)
    if in_runs and len(content) > _MOST_RUNS:
        raise _refuse(_MOST_RUNS, "bytes of run lengths")
    return _PIXELS


def _look_at_tiff(content: Content) -> int:
    order: Order = "little" if content[:1] == b"I" else "big"
    large = 43 in content[2:4]
    size, entry = (8, 20) if large else (4, 12)
    start = _number(content, size, size, order)
    first = start + (8 if large else 2)
    count = _number(content, start, first - start, order)
    if count > _MOST_PARTS:
        raise _refuse(_MOST_PARTS, "tags")
    for at in range(first, first + count * entry, entry):
        kind, values = _number(content, at + 2, 2, order), _number(content, at + 4, size, order)
        if kind not in (1, 2, 7) and values > _MOST_VALUES:  # neither bytes nor text
            raise _refuse(_MOST_VALUES, "values of a tag")
    return _WAITING


_KINDS: list[tuple[tuple[bytes, ...], Callable[[Content], int]]] = [
    ((b"\xff\xd8\xff",), _look_at_jpeg),
    ((b"\x89PNG",), _look_at_png),
    ((b"GIF8",), _look_at_gif),
    ((b"BM",), _look_at_bmp),
    ((b"RIFF",), _look_at_webp),
    ((b"II", b"MM"), _look_at_tiff),
]
