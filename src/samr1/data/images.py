"""The pixels of images: RGB, masks and class indices, some rows at a time.

EXIF rotation is not applied to those of a data set, whose annotations count pixels of the raw
raster; a person's picture is taken as it is seen (`load_picture`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from samr1.core.errors import UserError, prefix_errors
from samr1.data.image_files import MAX_PIXELS, Size, decode, decoding, opening, read_turn

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.unsignedinteger[Any]]  # of 8 or 16 bits

_BAND = 256  # rows that are brought to another form at once
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
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


def load_rgb(path: Path) -> Pixels:
    """Decode an image of any mode to RGB, uint8 [h, w, 3], its raw raster (no EXIF rotation).

    Transparency is dropped, not blended; 16-bit greys keep their upper 8 bits. Raises UserError
    where the file is missing, broken, truncated, too large, or has 32 bits a channel.
    """
    with opening(path) as image:
        decode(image, path)
        return _pixels(image, path, _to_rgb)


def digest_pixels(path: Path) -> tuple[Size, str]:
    """Width and height of an image, and the SHA-256 of its shape and pixels as `load_rgb` has them.

    Raises UserError as `load_rgb` does.
    """
    with opening(path) as image:
        decode(image, path)
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
        with decoding(name):
            bottom = min(top + _BAND, image.height)
            part = np.asarray(convert(image.crop((0, top, image.width, bottom))))
        yield slice(top, bottom), part.reshape(bottom - top, image.width, -1)


def open_rgb(data: bytes, name: str, side: int) -> Image.Image:
    """The square picture in `data` as RGB, `side`×`side`. Raises UserError as `load_rgb` does."""
    with opening(name, data, size=(side, side)) as image:
        decode(image, name)
        with decoding(name):
            return _to_rgb(image)


def load_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a person's picture as it is seen, uint8 [h, w, 3], from the content of its file.

    `name` is what it is called in errors. Raises UserError as `load_rgb` does.
    """
    with opening(name, data, max_pixels=max_pixels) as image:
        return as_seen(image, name)


def as_seen(image: Image.Image, name: str) -> Pixels:
    """An opened picture as viewers show it, uint8 [h, w, 3].

    EXIF rotation is applied, transparency shown on white, and of an animation the first picture
    taken. Raises UserError, which calls it `name`, where it is broken or has 32 bits a channel.
    """
    decode(image, name)
    with decoding(name):
        pixels = _pixels(image, name, _on_white if image.has_transparency_data else _to_rgb)
        turn = _TURNS.get(read_turn(image))
        return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))


def load_mask(data: bytes, name: str, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Decode the picture of a mask, bool [h, w], by what it shows: the object is not black.

    A palette is looked through, and one colour of any brightness stands for the object. Raises
    UserError where the file is not of `width`×`height`, is broken, or nobody can tell the object:
    it shows several colours beside black, as soft edges are, or is transparent in parts.
    """
    with opening(name, data, size=(width, height), told_by="the one it masks") as image:
        decode(image, name)
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
    with opening(name, data, size=(width, height), told_by="the one it masks") as image:
        decode(image, name)
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
