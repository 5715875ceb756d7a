"""An answer as files: a JSON with all of it, the mask as PNG and as RLE, and an overlay.

A file's name is made of the picture's and the question's letters and digits and of a digest of all
that the answer depends on: the same question gives the same files, and nothing else overwrites
them. Each file appears whole or not at all, the JSON last.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from samr1.app.model import Pixels, Segmented
from samr1.core.files import atomic_file
from samr1.data.masks import Mask, encode_mask
from samr1.data.painting import line_width, paint_mask
from samr1.policy.objects import Box, Point

ORANGE, BLACK = (230, 159, 0), (0, 0, 0)


@dataclass(frozen=True)
class Source:
    """What an answer is about: the picture as it was named, its content, and who is asked."""

    image: str
    content: bytes
    asked: str  # policy, segmenter and how they are asked


def name_answer(source: Source, question: str) -> str:
    """The beginning of the names of an answer's files.

    >>> name_answer(Source("../a/my cat.jpg", b"", "micro"), "the cat's tail?")
    'my_cat.the_cat_s_tail.abc858f738'
    """
    parts = [source.image, hashlib.sha256(source.content).hexdigest(), source.asked, question]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"{_plain(Path(source.image).stem)}.{_plain(question)}.{digest[:10]}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_")[:40] or "x"


def describe_answer(answer: Segmented) -> dict[str, Any]:
    """An answer as JSON, but for its mask; numbers are in pixels.

    `box` is xyxy; a point's `value` is 1 on the object and 0 off it. `box` and `points` are the
    first object's, `objects` has those of all, and `left_out` counts points beyond 16 of one.
    """
    return {
        "question": answer.question,
        "status": answer.status,
        "think": answer.think,
        "label": answer.label,
        "box": answer.box,
        "points": _describe_points(answer.points),
        "objects": [
            {"box": box, "points": _describe_points(points)} for box, points in answer.objects
        ],
        "left_out": answer.left_out,
        "sam_score": answer.sam_score,
        "response": answer.text,
    }


def _describe_points(points: tuple[Point, ...]) -> list[dict[str, float]]:
    return [{"x": x, "y": y, "value": value} for x, y, value in points]


def _encode(mask: Mask | None) -> dict[str, Any] | None:
    """A mask as COCO RLE in JSON; null where there is none."""
    if mask is None:
        return None
    rle = encode_mask(mask)
    return {"size": rle["size"], "counts": rle["counts"].decode("ascii")}


def write_answer(answer: Segmented, pixels: Pixels, source: Source, folder: Path) -> Path:
    """Write an answer's files into `folder`; returns the JSON.

    Without a mask there is the JSON alone, which says why in `status`. Raises UserError where the
    disk is full or read-only.
    """
    name = name_answer(source, answer.question)
    if answer.mask is not None:
        for kind, image in (
            ("mask", Image.fromarray(answer.mask)),
            ("overlay", draw_overlay(pixels, answer)),
        ):
            with atomic_file(folder / f"{name}.{kind}.png") as temporary:
                image.save(temporary, format="PNG")
    whole = {
        "image": source.image,
        **describe_answer(answer),
        "mask": _encode(answer.mask),
        "asked": source.asked,
    }
    with atomic_file(folder / f"{name}.json") as temporary:
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)
        temporary.write_bytes(f"{text}\n".encode("utf-8", "replace"))
    return folder / f"{name}.json"


def draw_overlay(pixels: Pixels, answer: Segmented) -> Image.Image:
    """The picture with the mask's outline green, boxes orange, and points as dots.

    At the picture's size. Points off the object are crosses.
    """
    image = Image.fromarray(pixels)
    if answer.mask is not None:
        layer = paint_mask(answer.mask).convert("RGBA")
        image = Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
    draw = ImageDraw.Draw(image)
    line = line_width(image.size)
    for box, _ in answer.objects:
        draw.rectangle(_inside(box, image.size), outline=ORANGE, width=line)
    for x, y, value in (point for _, points in answer.objects for point in points):
        r = 2 * line
        if value:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=ORANGE, outline=BLACK)
        else:
            for colour, width in ((BLACK, line + 2), (ORANGE, line)):
                draw.line((x - r, y - r, x + r, y + r), fill=colour, width=width)
                draw.line((x - r, y + r, x + r, y - r), fill=colour, width=width)
    return image


def _inside(box: Box, size: tuple[int, int]) -> Box:
    """The box's outermost pixels: x2 and y2 are one past them."""
    x1, y1 = min(box[0], size[0] - 1), min(box[1], size[1] - 1)
    return x1, y1, max(x1, box[2] - 1), max(y1, box[3] - 1)
