"""What the gallery draws: masks and boxes as outlines, and images made small.

Everything of a sample is drawn in its *frame*: the original image scaled so that its longer side is
320 units. Outlines are paths of SVG, which stay sharp at any size.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from samr1.data.images import load_original
from samr1.data.masks import Mask

FRAME = 320  # units of the longer side
_TOLERANCE = 0.8  # units by which a drawn outline may leave the mask's
_QUALITY = 70  # of WebP, 0-100

Size = tuple[int, int]  # width, height


def frame_size(width: int, height: int) -> Size:
    """The frame of an image of `width`×`height` pixels.

    >>> frame_size(640, 480)
    (320, 240)
    """
    scale = FRAME / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_frame(numbers: Sequence[float], size: Size) -> list[float]:
    """Coordinates x, y, x, y … from pixels of the original to the frame, to a tenth of a unit."""
    scales = np.array(frame_size(*size)) / size
    scaled: list[float] = (np.reshape(numbers, (-1, 2)) * scales).round(1).flatten().tolist()
    return scaled


def mask_outline(mask: Mask) -> str:
    """A mask [h, w] as the `d` of an SVG path in its frame, holes by even-odd; "" where empty."""
    frame = frame_size(mask.shape[1], mask.shape[0])
    scaled = cv2.resize(mask.astype(np.uint8), frame, interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(scaled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return "".join(_path(cv2.approxPolyDP(contour, _TOLERANCE, True)[:, 0]) for contour in contours)


def _path(corners: np.ndarray) -> str:
    """A closed polygon [n, 2], in steps from corner to corner."""
    steps = np.diff(corners, axis=0).flatten().tolist()
    x, y = corners[0].tolist()
    return f"M{x},{y}l{' '.join(map(str, steps))}z" if steps else f"M{x},{y}h1v1h-1z"


def box_outline(box: Sequence[float], size: Size) -> str:
    """A box (xyxy, original pixels) of an image of `size` as the same."""
    x1, y1, x2, y2 = to_frame(box, size)
    return f"M{x1},{y1}H{x2}V{y2}H{x1}z"


def thumbnail(path: Path, size: Size, sample_id: str) -> str:
    """A sample's image as WebP in base64, no larger than its frame nor than it was.

    Raises UserError where it cannot be read or is not of `size`.
    """
    image = Image.fromarray(load_original(path, *size, sample_id))
    if max(size) > FRAME:
        image = image.resize(frame_size(*size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return base64.b64encode(buffer.getvalue()).decode()
