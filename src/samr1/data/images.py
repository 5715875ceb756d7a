"""Images as they lie on disk: checked against their annotations and decoded to RGB.

EXIF rotation is not applied to those of a data set, whose annotations count pixels of the raw
raster; a person's picture is taken as it is seen (`load_picture`).
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from samr1.core.errors import UserError

# A small file can claim any size; this is far beyond every image of the data sets (about 0.3 GB).
MAX_PIXELS = 90_000_000

# The data sets hold JPEG and PNG; some formats that PIL knows run other programs to be read.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")

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

# MAX_PIXELS says the same, as an error. Once and not around each opening: the filters are the
# whole process's, and images are read in several threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@contextmanager
def _open(
    path: Path | str, data: bytes | None = None, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """Open `path`, or `data` that is called so; every way in which this fails is one UserError."""
    if data is None and not Path(path).is_file():
        raise UserError(f"{path}: no such image; put it there or correct the data root.")
    try:
        source = path if data is None else io.BytesIO(data)
        with Image.open(source, formats=_FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise Image.DecompressionBombError
            yield image
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{path}: the image has more than {max_pixels:,} pixels; replace it by a smaller one."
        ) from error
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: not an image that can be read; fetch it again.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        # SyntaxError is what PIL raises for a broken PNG chunk.
        raise UserError(f"{path}: the image is broken ({error}); fetch it again.") from error


def check_image(path: Path, width: int | None = None, height: int | None = None) -> tuple[int, int]:
    """Check that `path` is a whole image (of `width`×`height` where given); returns its size.

    The image is decoded to the end, because a truncated file has a sound header; a JPEG at an
    eighth of its size, which reads the same bytes several times faster. Raises UserError.
    """
    with _open(path) as image:
        return _check(image, path, width, height)


def check_image_bytes(
    data: bytes, name: str, width: int | None = None, height: int | None = None
) -> str:
    """Check a file's content as `check_image` does its file; returns the suffix for its format.

    `name` stands for the path in what is said of it, such as the table and row that hold it.
    """
    with _open(name, data) as image:
        _check(image, name, width, height)
        return _SUFFIXES[image.format or ""]


def _check(
    image: Image.Image, path: Path | str, width: int | None, height: int | None
) -> tuple[int, int]:
    size = image.size
    if width is not None and height is not None and size != (width, height):
        raise UserError(
            f"{path}: the image is {size[0]}×{size[1]} pixels and its annotation says "
            f"{width}×{height}; one of them belongs to another image."
        )
    image.draft(None, (1, 1))
    image.load()
    if image.mode in _THIRTY_TWO_BITS:
        raise UserError(f"{path}: 32-bit images (mode {image.mode}) have no RGB; convert it.")
    return size


def load_rgb(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an image of any mode to RGB, uint8 [h, w, 3], its raw raster (no EXIF rotation).

    Transparency is dropped, not blended; 16-bit greys keep their upper 8 bits. Raises UserError
    where the file is missing, broken, truncated, too large, or has 32 bits a channel.
    """
    with _open(path) as image:
        return np.array(_to_rgb(image, path))


def load_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> npt.NDArray[np.uint8]:
    """Decode a person's picture as it is seen, uint8 [h, w, 3], from the content of its file.

    `name` is what it is called in errors. Raises UserError as `load_rgb` does.
    """
    with _open(name, data, max_pixels) as image:
        return as_seen(image, name)


def as_seen(image: Image.Image, name: str) -> npt.NDArray[np.uint8]:
    """An opened picture as viewers show it, uint8 [h, w, 3].

    EXIF rotation is applied, transparency shown on white, and of an animation the first picture
    taken. Raises UserError, which calls it `name`, where it has 32 bits a channel.
    """
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, "white")
        seen = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
    else:
        seen = _to_rgb(image, name)
    turn = _TURNS.get(_orientation(image))
    return np.array(seen if turn is None else seen.transpose(turn))


def _orientation(image: Image.Image) -> object:
    """What the EXIF data say; 1, upright, where they cannot be read, as viewers take it."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except (SyntaxError, ValueError, TypeError, struct.error):
        return 1


def _to_rgb(image: Image.Image, name: Path | str) -> Image.Image:
    if image.mode in _THIRTY_TWO_BITS:
        raise UserError(f"{name}: 32-bit images (mode {image.mode}) have no RGB; convert it.")
    if image.mode in _SIXTEEN_BITS:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGB")


def load_original(path: Path, width: int, height: int, sample_id: str) -> npt.NDArray[np.uint8]:
    """The image of a sample as `load_rgb` reads it, uint8 [h, w, 3].

    Raises UserError, naming the sample, where it cannot be read or is not `width`×`height`.
    """
    try:
        image = load_rgb(path)
    except UserError as error:
        raise UserError(f"sample {sample_id}: {error}") from error
    if image.shape[:2] != (height, width):
        raise UserError(
            f"{path}: the image is {image.shape[1]}×{image.shape[0]} pixels and sample {sample_id} "
            f"says {width}×{height}; index the data set again."
        )
    return image
