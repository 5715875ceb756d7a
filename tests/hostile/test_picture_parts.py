"""Pictures of few pixels and more parts than any picture has: each would take minutes or gigabytes.

Beside each is what is still read: the same with as many parts as cameras and programs write.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_data import refused
from PIL import Image

from samr1.data.image_files import check_image
from samr1.data.images import load_picture

SIDE = 8
EXIF, COMMENT = b"\xff\xe1\x00\x09Exif\0\0x", b"\xff\xfe\x00\x02"
GIF_COMMENT = b"\x01a"
EMPTY_CHUNK = struct.pack(">I4sI", 0, b"aaAa", zlib.crc32(b"aaAa"))


def picture(kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), (9, 99, 200)).save(content, kind, **options)
    return content.getvalue()


def in_head(part: bytes) -> Callable[[int], bytes]:
    """A JPEG with so many of these behind its first segment."""
    whole = picture("JPEG")
    return lambda count: whole[:20] + part * count + whole[20:]


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan stands there so often."""
    whole = picture("JPEG", progressive=True)
    start = whole.rindex(b"\xff\xda")
    return whole[:start] + whole[start:-2] * count + whole[-2:]


def chunks(part: bytes) -> Callable[[int], bytes]:
    whole = picture("PNG")
    return lambda count: whole[:33] + part * count + whole[33:]


def exif(count: int) -> bytes:
    """A PNG whose EXIF data give so many numbers for how the picture is turned."""
    tags = (
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x112, 3, count, 26) + bytes(2 * count + 4)
    )
    body = b"eXIf" + tags
    return chunks(struct.pack(">I", len(tags)) + body + struct.pack(">I", zlib.crc32(body)))(1)


def gif(part: bytes) -> Callable[[int], bytes]:
    whole = picture("GIF")
    start = 13 + (3 << (whole[10] & 7) + 1)
    return lambda count: whole[:start] + b"!\xfe" + part * count + b"\0" + whole[start:]


def bmp(runs: int) -> bytes:
    """A BMP of so many runs that move nowhere, and the pixels behind them."""
    body = b"\0\x02\0\0" * runs + b"\x08\x01\0\0" * SIDE
    sizes = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(body), 0, 0, 256, 256)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + sizes + bytes(1024) + body


def tiff(offsets: int, side: int = SIDE) -> bytes:
    """A TIFF whose one strip has so many places."""
    tags = [(256, 3, 1, side), (257, 3, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, offsets, 200 if offsets > 1 else 300), (278, 3, 1, 8), (279, 4, 1, 64)]
    table = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0\x08\0" + table + bytes(4 * offsets + 400)


def big_tiff(tags: int) -> bytes:
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, tags) + bytes(20 * tags)


def claim(content: bytes, marker: bytes) -> bytes:
    """The picture with another height and width behind `marker`."""
    at = content.index(marker) + len(marker)
    return content[:at] + struct.pack(">HH", 9_400, 9_400) + content[at + 4 :]


PROGRESSIVE = b"\xff\xc2\x00\x11\x08"
PARTS: list[tuple[Callable[[int], bytes], int, int, str]] = [
    (in_head(COMMENT), 300, 600, "more than 512 segments"),
    (in_head(EXIF), 300, 600, "more than 512 segments"),
    (in_head(b"\xff\xd1"), 300, 600, "more than 512 segments"),
    (in_head(b"\0"), 1_000, 100_000, "more than 65,536 bytes that belong to nothing"),
    (in_head(b"\xff"), 1_000, 100_000, "more than 65,536 bytes that belong to nothing"),
    (scans, 30, 100, "more than 64 scans"),
    (chunks(EMPTY_CHUNK), 6_000, 70_000, "more than 65,536 chunks"),
    (exif, 1, 2_500_000, "more than 4,000,000 bytes of EXIF data"),
    (gif(GIF_COMMENT), 6_000, 70_000, "more than 65,536 blocks"),
    (bmp, 1_000, 4_100_000, "more than 16,000,000 bytes of run lengths"),
    (tiff, 1, 1_100_000, "more than 1,000,000 values of a tag"),
]


@pytest.mark.parametrize(("make", "few", "many", "told"), PARTS)
def test_a_picture_of_too_many_parts_is_refused_unread(
    tmp_path: Path, make: Callable[[int], bytes], few: int, many: int, told: str
) -> None:
    assert load_picture(make(few), "a").shape == (SIDE, SIDE, 3)
    content = make(many)
    (tmp_path / "a").write_bytes(content)
    refused(told, lambda: load_picture(content, "a"))
    refused(told, lambda: check_image(tmp_path / "a"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xd8\xff" + bytes(100_000), "bytes that belong to nothing"),
        (b"GIF89a" + bytes(100_000), "more than 65,536 blocks"),
        (big_tiff(70_000), "more than 65,536 tags"),
        (claim(picture("JPEG", progressive=True), PROGRESSIVE), "more than 36,000,000 pixels"),
        (tiff(1, 9_400), "more than 36,000,000 pixels"),
    ],
)
def test_a_picture_that_is_none_or_is_held_whole_is_refused_unread(
    content: bytes, told: str
) -> None:
    refused(told, lambda: load_picture(content, "a"))
