"""Image files: opened within bounds, decoded whole, held against what is said of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from samr1.core.errors import ON_INPUT, UserError, refusing
from samr1.core.reading import check_file
from samr1.data.picture_parts import look_through

Size = tuple[int, int]  # width, height

# A small file can claim any size; this is far beyond every image of the data sets (about 0.3 GB).
MAX_PIXELS = 90_000_000
_MOST_HELD = 432_000_000  # bytes, by a decoder: of some formats it takes more than the pixels
_MOST_FILE = 300_000_000  # bytes: so many pixels without compression
MAX_BYTES = 120_000_000  # of a file that is in memory while it is decoded

_REMEDY = "put the image there or correct the data root"

# The data sets hold JPEG and PNG; some formats that PIL knows run other programs to be read.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp")
UNREAD = (".heic", ".heif", ".avif")  # pictures too, as cameras write them

_UNREADABLE = "fetch it again, or save it as JPEG or PNG where it is of another kind, as HEIC"

# MPO is what PIL calls a JPEG with a second picture in it, as some cameras write.
_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "WEBP": ".webp",
}

_THIRTY_TWO_BITS = ("I", "F")

# What PIL says of a picture that it reads all the same, a line a tag, and of its size, which
# MAX_PIXELS refuses. Once and not around each opening: the filters are the whole process's, and
# images are read in several threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decoding(
    name: Path | str, kinds: tuple[type[Exception], ...] = (Exception,)
) -> AbstractContextManager[None]:
    """What PIL raises on a broken picture, nearly anything, becomes the picture's error."""
    return refusing(f"{name}: the image is broken", "fetch it again", kinds)


@contextmanager
def opening(
    path: Path | str,
    data: bytes | None = None,
    *,
    size: Size | None = None,
    told_by: str = "its annotation says",
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Image.Image]:
    """Open `path`, or `data` that is called so, and check what its header says of its size.

    Nothing is decoded yet. Raises UserError where it is no image, or not of `size`, or has more
    than `max_pixels`.
    """
    if data is None:
        check_file(Path(path), _MOST_FILE, _REMEDY)
    with decoding(path, ON_INPUT):
        held = _look_through(Path(path)) if data is None else look_through(data)
    with decoding(path):
        try:
            image = Image.open(path if data is None else io.BytesIO(data), formats=_FORMATS)
        except Image.DecompressionBombError as error:  # PIL's own bound, at twice MAX_PIXELS
            raise _too_large(path, max_pixels) from error
        except UnidentifiedImageError as error:
            raise UserError(f"{path}: not an image that can be read; {_UNREADABLE}.") from error
    with image:
        most = min(max_pixels, _MOST_HELD // held)
        if image.width * image.height > most:
            raise _too_large(path, most)
        if size is not None and image.size != size:
            raise UserError(
                f"{path}: the image is {image.width}×{image.height} pixels and {told_by} "
                f"{size[0]}×{size[1]}; one of them belongs to another image."
            )
        yield image


def _look_through(path: Path) -> int:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return 1  # what is empty is no picture, and cannot be mapped
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return look_through(content)


def _too_large(name: Path | str, most: int) -> UserError:
    told = f"{name}: the image has more than {most:,} pixels; replace it by a smaller one."
    return UserError(told)


def decode(image: Image.Image, name: Path | str, only_check: bool = False) -> None:
    """Decode an opened image to its last byte, because a truncated file has a sound header.

    With `only_check` a JPEG is decoded at an eighth of its size: that reads the same bytes several
    times faster.
    """
    with decoding(name):
        if only_check:
            image.draft(None, (1, 1))
        image.load()
    if image.mode in _THIRTY_TWO_BITS:
        raise UserError(f"{name}: 32-bit images (mode {image.mode}) have no RGB; convert it.")


def check_image(path: Path, size: Size | None = None) -> Size:
    """The size of the image at `path`; raises UserError where it is no whole one, of that size."""
    with opening(path, size=size) as image:
        found = image.size
        decode(image, path, only_check=True)
        return found


def check_image_bytes(data: bytes, name: str, size: Size | None = None) -> str:
    """Check a file's content as `check_image` does its file; returns the suffix for its format.

    `name` stands for the path in what is said of it, such as the table and row that hold it.
    """
    with opening(name, data, size=size) as image:
        decode(image, name, only_check=True)
        return _SUFFIXES[image.format or ""]


def picture_size(path: Path) -> Size:
    """The size of the image at `path` by its header. Raises UserError where it is none."""
    with opening(path) as image:
        return image.size


def find_turn(path: Path) -> int:
    """How the EXIF data of the image at `path` turn it, 1 to 8; 1 is as its pixels lie."""
    with opening(path) as image:
        return read_turn(image)


def read_turn(image: Image.Image) -> int:
    """What the EXIF data say; 1, upright, where they cannot be read, as viewers take it."""
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # PIL raises nearly anything on a broken table of tags
        return 1
    return told if told in range(2, 9) else 1
