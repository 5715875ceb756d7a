"""A mask over its image: seen at its edge, and the object's colour through it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from samr1.data.painting import GREEN, line_width, paint_mask
from samr1.micro.scenes import COLORS


@pytest.mark.parametrize("color", COLORS.values(), ids=COLORS)
def test_an_objects_colour_is_seen_through_its_mask(color: tuple[int, int, int]) -> None:
    mask = np.zeros((400, 300), bool)
    mask[100:200, 50:150] = True
    picture = Image.new("RGBA", (300, 400), color)
    picture.alpha_composite(paint_mask(mask).convert("RGBA"))
    pixels = np.array(picture.convert("RGB")).astype(int)
    assert ((pixels != color).any(axis=2) == mask).all()
    assert line_width(mask.shape) == 2
    for edge in (pixels[100:102, 50:150], pixels[198:200, 50:150], pixels[100:200, 50:52]):
        assert (edge == GREEN).all()
    inside = pixels[104:196, 54:146].reshape(-1, 3)
    palette = np.array(list(COLORS.values()))
    nearest = np.abs(palette - inside[:, None]).sum(axis=2).argmin(axis=1)
    assert (palette[nearest] == color).all()
    assert np.abs(inside - color).max() <= 24
