"""Images as they lie on disk: checked against their annotations and decoded to RGB.

EXIF rotation is not applied to those of a data set, whose annotations count pixels of the raw
raster; a person's picture is taken as it is seen (`load_picture`).
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from samr1.core.errors import ON_INPUT, UserError, prefix_errors, refusing
from samr1.core.reading import check_file
from samr1.data.picture_parts import look_through

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.unsignedinteger[Any]]  # of 8 or 16 bits
Size = tuple[int, int]  # width, height

# A small file can claim any size; this is far beyond every image of the data sets (about 0.3 GB).
MAX_PIXELS = 90_000_000
_MOST_HELD = 432_000_000  # bytes, by a decoder: of some formats it takes more than the pixels
_MOST_FILE = 300_000_000  # bytes: so many pixels without compression
MAX_BYTES = 120_000_000  # of a file that is in memory while it is decoded
_BAND = 256  # rows that are brought to another form at once

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

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_THIRTY_TWO_BITS = ("I", "F")

# What EXIF's orientation, 2 to 8, says is to be done.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What PIL says of a picture that it reads all the same, a line a tag, and of its size, which
# MAX_PIXELS refuses. Once and not around each opening: the filters are the whole process's, and
# images are read in several threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def _decoding(
    name: Path | str, kinds: tuple[type[Exception], ...] = (Exception,)
) -> AbstractContextManager[None]:
    """What PIL raises on a broken picture, nearly anything, becomes the picture's error."""
    return refusing(f"{name}: the image is broken", "fetch it again", kinds)


@contextmanager
def _opened(
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
    with _decoding(path, ON_INPUT):
        held = _look_through(Path(path)) if data is None else look_through(data)
    with _decoding(path):
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


def _load(image: Image.Image, name: Path | str, only_check: bool = False) -> None:
    """Decode an opened image to its last byte, because a truncated file has a sound header.

    With `only_check` a JPEG is decoded at an eighth of its size: that reads the same bytes several
    times faster.
    """
    with _decoding(name):
        if only_check:
            image.draft(None, (1, 1))
        image.load()
    if image.mode in _THIRTY_TWO_BITS:
        raise UserError(f"{name}: 32-bit images (mode {image.mode}) have no RGB; convert it.")


def check_image(path: Path, size: Size | None = None) -> Size:
    """The size of the image at `path`; raises UserError where it is no whole one, of that size."""
    with _opened(path, size=size) as image:
        found = image.size
        _load(image, path, only_check=True)
        return found


def check_image_bytes(data: bytes, name: str, size: Size | None = None) -> str:
    """Check a file's content as `check_image` does its file; returns the suffix for its format.

    `name` stands for the path in what is said of it, such as the table and row that hold it.
    """
    with _opened(name, data, size=size) as image:
        _load(image, name, only_check=True)
        return _SUFFIXES[image.format or ""]


def load_rgb(path: Path) -> Pixels:
    """Decode an image of any mode to RGB, uint8 [h, w, 3], its raw raster (no EXIF rotation).

    Transparency is dropped, not blended; 16-bit greys keep their upper 8 bits. Raises UserError
    where the file is missing, broken, truncated, too large, or has 32 bits a channel.
    """
    with _opened(path) as image:
        _load(image, path)
        return _pixels(image, path, _to_rgb)


def digest_pixels(path: Path) -> tuple[Size, str]:
    """Width and height of an image, and the SHA-256 of its shape and pixels as `load_rgb` has them.

    Raises UserError as `load_rgb` does.
    """
    with _opened(path) as image:
        _load(image, path)
        digest = hashlib.sha256(f"{(image.height, image.width, 3)}".encode())
        for _, band in _bands(image, path, _to_rgb):
            digest.update(band.tobytes())
        return image.size, digest.hexdigest()


def _pixels(
    image: Image.Image, name: Path | str, convert: Callable[[Image.Image], Image.Image]
) -> Pixels:
    """A decoded image as `convert` has it, which is RGB, uint8 [h, w, 3]."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image, name, convert):
        pixels[rows] = band
    return pixels


def _bands(
    image: Image.Image, name: Path | str, convert: Callable[[Image.Image], Image.Image]
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """A decoded image as `convert` has it, [rows, w, c], some rows at a time: its copy is large."""
    for top in range(0, image.height, _BAND):
        with _decoding(name):
            bottom = min(top + _BAND, image.height)
            part = np.asarray(convert(image.crop((0, top, image.width, bottom))))
        yield slice(top, bottom), part.reshape(bottom - top, image.width, -1)


def open_rgb(data: bytes, name: str, side: int) -> Image.Image:
    """The square picture in `data` as RGB, `side`×`side`. Raises UserError as `load_rgb` does."""
    with _opened(name, data, size=(side, side)) as image:
        _load(image, name)
        with _decoding(name):
            return _to_rgb(image)


def load_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a person's picture as it is seen, uint8 [h, w, 3], from the content of its file.

    `name` is what it is called in errors. Raises UserError as `load_rgb` does.
    """
    with _opened(name, data, max_pixels=max_pixels) as image:
        return as_seen(image, name)


def as_seen(image: Image.Image, name: str) -> Pixels:
    """An opened picture as viewers show it, uint8 [h, w, 3].

    EXIF rotation is applied, transparency shown on white, and of an animation the first picture
    taken. Raises UserError, which calls it `name`, where it is broken or has 32 bits a channel.
    """
    _load(image, name)
    with _decoding(name):
        pixels = _pixels(image, name, _on_white if image.has_transparency_data else _to_rgb)
        turn = _TURNS.get(_orientation(image))
        return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))


def load_mask(data: bytes, name: str, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Decode the picture of a mask, bool [h, w], by what it shows: the object is not black.

    A palette is looked through, and one colour of any brightness stands for the object. Raises
    UserError where the file is not of `width`×`height`, is broken, or nobody can tell the object:
    it shows several colours beside black, as soft edges are, or is transparent in parts.
    """
    with _opened(name, data, size=(width, height), told_by="the one it masks") as image:
        _load(image, name)
        if image.has_transparency_data and _shows_through(image, name):
            raise UserError(f"{name}: the mask is transparent in parts; write black and white.")
        shown, colour = np.zeros((height, width), bool), None
        for rows, band in _bands(image, name, _to_shown):
            shown[rows] = band.any(axis=2)
            seen = band[shown[rows]]
            colour = seen[0] if colour is None and len(seen) else colour
            if (seen != colour).any():
                raise UserError(
                    f"{name}: the mask shows several colours beside black, so that nobody can tell "
                    "the object; write white on it and black off it, without soft edges."
                )
        return shown


def _shows_through(image: Image.Image, name: str) -> bool:
    """Whether some pixel of a decoded image is not opaque; of 16 bits PIL cannot tell."""
    bands = _bands(image, name, lambda part: part.convert("RGBA").getchannel("A"))
    return image.mode in _SIXTEEN_BITS or any(int(alpha.min()) < 255 for _, alpha in bands)


def load_indices(data: bytes, name: str, width: int, height: int) -> Indices:
    """Decode the picture of class indices, [h, w]: a palette's places, or the greys.

    Raises UserError where the file is not of `width`×`height`, is broken, or has colours instead.
    """
    with _opened(name, data, size=(width, height), told_by="the one it masks") as image:
        _load(image, name)
        if image.mode not in ("1", "L", "P", *_SIXTEEN_BITS):
            raise UserError(
                f"{name}: the mask is in colours (mode {image.mode}) and has no class indices; "
                "save it with a palette, or as greys."
            )
        wide = image.mode in _SIXTEEN_BITS
        indices = np.empty((height, width), np.uint16 if wide else np.uint8)
        for rows, band in _bands(image, name, lambda part: part):
            indices[rows] = band[..., 0]
        return indices


def picture_size(path: Path) -> Size:
    """The size of the image at `path` by its header. Raises UserError where it is none."""
    with _opened(path) as image:
        return image.size


def find_turn(path: Path) -> int:
    """How the EXIF data of the image at `path` turn it, 1 to 8; 1 is as its pixels lie."""
    with _opened(path) as image:
        return _orientation(image)


def _orientation(image: Image.Image) -> int:
    """What the EXIF data say; 1, upright, where they cannot be read, as viewers take it."""
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # PIL raises nearly anything on a broken table of tags
        return 1
    return told if told in _TURNS else 1


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _to_shown(image: Image.Image) -> Image.Image:
    """A mask's shades as they are, all else as the colours that it shows."""
    if image.mode in ("L", *_SIXTEEN_BITS):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def load_original(path: Path, width: int, height: int, sample_id: str) -> Pixels:
    """The image of a sample as `load_rgb` reads it, uint8 [h, w, 3].

    Raises UserError, naming the sample, where it cannot be read or is not `width`×`height`.
    """
    with prefix_errors(f"sample {sample_id}"):
        image = load_rgb(path)
    if image.shape[:2] != (height, width):
        raise UserError(
            f"{path}: the image is {image.shape[1]}×{image.shape[0]} pixels and sample {sample_id} "
            f"says {width}×{height}; index the data set again."
        )
    return image
