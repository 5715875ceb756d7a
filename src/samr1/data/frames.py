"""Whether an annotation counts pixels as they lie in the image's file.

Labelling tools show a photo as its EXIF data turn it, and write that size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError
from samr1.data.image_files import Size, check_image, find_turn, picture_size


def told_size(entry: dict[str, Any], keys: Sequence[str], whose: str, remedy: str) -> Size | None:
    """The size that `entry` says under `keys`, width and height; None where it says none.

    Raises UserError where they are no whole numbers, of `whose`.
    """
    width, height = (entry.get(key) for key in keys)
    if width is None and height is None:
        return None
    if type(width) is not int or type(height) is not int:
        raise UserError(f"{whose} {' or '.join(keys)} is no whole number; {remedy}.")
    return width, height


def check_frame(path: Path, told: Size | None) -> Size:
    """The size of the image at `path`, of whose raw raster its annotation counts pixels too.

    `told` is the size that the annotation says, None where it says none. Raises UserError where the
    image is broken, the annotation is of another size, or it may be of the turned photo.
    """
    check_turn(path, find_turn(path), picture_size(path), told)
    return check_image(path, told)


def check_turn(path: Path, turn: int, size: Size, told: Size | None) -> None:
    """Raise UserError where the photo at `path`, of `size`, may be annotated as it is turned.

    `turn` is that of `find_turn`.
    """
    if turn == 1:
        return
    remedy = "save it turned, without that tag."
    if turn > 4 and told == size[::-1] != size:
        raise UserError(
            f"{path}: its EXIF data turn the photo (orientation {turn}), its annotation is of the "
            f"turned one, {size[1]}×{size[0]} pixels, and images are read unturned; {remedy}"
        )
    if told is None or turn < 5 or size[0] == size[1]:
        raise UserError(
            f"{path}: its EXIF data turn the photo (orientation {turn}), and nothing says whether "
            f"its annotation is of the turned one; {remedy}"
        )
