"""A sample drawn: its image with the outline of its target and a light fill."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from samr1.data.images import load_original
from samr1.data.masks import Mask, decode_mask
from samr1.data.painting import GREEN, line_width, paint_mask

_SIDE = 480  # pixels of the longer side
_DIMMED = 0.35  # how bright ignored pixels stay


def choose_samples(rows: Sequence[dict[str, Any]], count: int, seed: int) -> list[dict[str, Any]]:
    """`count` of the samples by a seeded draw, which does not depend on their order."""

    def draw(row: dict[str, Any]) -> bytes:
        return hashlib.sha256(f"{seed}/drawn/{row['sample_id']}".encode()).digest()

    return sorted(rows, key=draw)[:count]


def draw_sample(row: dict[str, Any], root: Path) -> Image.Image:
    """The sample's image, no longer than 480 pixels, with its target; ignored pixels are dark."""
    pixels = load_original(root / row["image_path"], row["width"], row["height"], row["sample_id"])
    scale = min(1.0, _SIDE / max(row["width"], row["height"]))
    size = max(1, round(row["width"] * scale)), max(1, round(row["height"] * scale))
    picture = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    if row["ignore"]:
        bright = np.where(_resize(row["ignore"], size)[..., None], _DIMMED, 1.0)
        picture = Image.fromarray((np.asarray(picture) * bright).astype(np.uint8))
    if row["mask"]:
        drawn = picture.convert("RGBA")
        drawn.alpha_composite(paint_mask(_resize(row["mask"], size)).convert("RGBA"))
        return drawn.convert("RGB")
    box = [value * scale for value in row["box"]]
    pen = ImageDraw.Draw(picture)
    pen.rectangle([box[0], box[1], box[2] - 1, box[3] - 1], outline=GREEN, width=line_width(size))
    return picture


def _resize(rle: dict[str, Any], size: tuple[int, int]) -> Mask:
    mask = Image.fromarray(decode_mask(rle)).resize(size, Image.Resampling.NEAREST)
    return np.asarray(mask, bool)
