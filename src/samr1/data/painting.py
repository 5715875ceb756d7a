"""A mask as Python draws it over its image: an outline and a light fill.

Questions are about colours, so that an object's own colour must be seen through its mask.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from samr1.data.masks import Mask

GREEN = (0, 200, 140)
_FILL = 24  # of 255: how much of the object the fill hides
_SHADE = 120  # the same of the dark line within the outline, by which it is seen on green too


def paint_mask(mask: Mask) -> Image.Image:
    """A mask [h, w] as a picture of its size to lay over another; transparent where it is unset."""
    whole, kernel, width = mask.astype(np.uint8), np.ones((3, 3)), line_width(mask.shape)
    inner = [cv2.erode(whole, kernel, iterations=n, borderValue=0) for n in (width, 2 * width)]
    image = Image.fromarray(whole + inner[0] + inner[1])  # 1 the outline, 2 its shade, 3 the fill
    image.putpalette([0, 0, 0, *GREEN, 0, 0, 0, *GREEN])
    image.info["transparency"] = bytes([0, 255, _SHADE, _FILL])
    return image


def line_width(size: tuple[int, ...]) -> int:
    """Pixels of a line on a picture of `size`: a two-hundredth of its longer side."""
    return max(1, round(max(size) / 200))
