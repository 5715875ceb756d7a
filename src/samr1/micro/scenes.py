"""Scenes of the micro world: a few flat shapes on a shaded ground, drawn from a seed.

The ground is shaded along x and y, because the vision tower has no absolute position embedding and
a tiny one hardly learns where things are unless the image itself shows it.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (48, 168, 62),
    "blue": (40, 84, 220),
    "yellow": (240, 208, 40),
    "purple": (150, 52, 190),
    "white": (244, 244, 240),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
_SUPERSAMPLE = 3  # shapes are drawn this much larger and averaged down, for smooth edges


@dataclass(frozen=True)
class Thing:
    """One object: its polygon is in pixels of the original image, clockwise."""

    shape: str
    color: str
    radius: float
    center: tuple[float, float]
    polygon: tuple[tuple[float, float], ...]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Extent of the polygon, xyxy, pixels of the original image."""
        xs, ys = zip(*self.polygon, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True)
class Scene:
    """An image's size in pixels and its things, none hiding another."""

    width: int
    height: int
    things: tuple[Thing, ...]
    shade_seed: int


def generator(*key: str | int) -> np.random.Generator:
    """A random generator that depends on `key` alone (names and numbers), on every machine."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _outline(shape: str, radius: float) -> list[tuple[float, float]]:
    """Corners of an upright shape about the origin."""
    if shape == "circle":
        return [
            (radius * math.cos(math.tau * i / 24), radius * math.sin(math.tau * i / 24))
            for i in range(24)
        ]
    if shape == "square":
        polar = [(radius * 1.12, math.pi / 4 + i * math.pi / 2) for i in range(4)]
    elif shape == "triangle":
        polar = [(radius * 1.2, -math.pi / 2 + i * math.tau / 3) for i in range(3)]
    elif shape == "star":
        polar = [
            (radius * (1.2 if i % 2 == 0 else 0.52), -math.pi / 2 + i * math.pi / 5)
            for i in range(10)
        ]
    else:  # cross
        arm, wide = radius * 1.1, radius * 0.38
        corners = [(wide, arm), (-wide, arm), (-wide, wide), (-arm, wide)]
        corners += [(-arm, -wide), (-wide, -wide), (-wide, -arm), (wide, -arm)]
        corners += [(wide, -wide), (arm, -wide), (arm, wide), (wide, wide)]
        polar = [(math.hypot(x, y), math.atan2(y, x)) for x, y in corners]
    return [(r * math.cos(a), r * math.sin(a)) for r, a in polar]


def _place(
    rng: np.random.Generator, width: int, height: int, placed: list[Thing]
) -> tuple[float, tuple[float, float]] | None:
    """A radius and a centre clear of the edges and of the things already there, if one is found."""
    for _ in range(60):
        radius = float(rng.uniform(0.11, 0.2)) * min(width, height)
        margin = radius * 1.2 + 1
        x = float(rng.uniform(margin, width - margin))
        y = float(rng.uniform(margin, height - margin))
        if all(
            math.dist((x, y), other.center) > 1.25 * (radius + other.radius) for other in placed
        ):
            return radius, (x, y)
    return None


def draw_scene(rng: np.random.Generator) -> Scene:
    """A scene of one to five things; some share a colour or a shape with another, or both.

    At least one thing is unlike all others in colour and shape, so that something can be asked.
    """
    while True:
        scene = _draw_any_scene(rng)
        looks = [(thing.shape, thing.color) for thing in scene.things]
        if any(looks.count(look) == 1 for look in looks):
            return scene


def _draw_any_scene(rng: np.random.Generator) -> Scene:
    width, height = (int(rng.integers(96, 177)) for _ in range(2))
    things: list[Thing] = []
    for index in range(int(rng.integers(2, 6))):
        spot = _place(rng, width, height, things)
        if spot is None:
            break
        radius, (x, y) = spot
        shape = SHAPES[int(rng.integers(len(SHAPES)))]
        color = list(COLORS)[int(rng.integers(len(COLORS)))]
        if index > 0:  # distractors: like another thing in one respect or, rarely, in both
            like = things[int(rng.integers(index))]
            chance = rng.random()
            shape = like.shape if chance < 0.30 else shape
            color = like.color if 0.22 < chance < 0.55 else color
        polygon = tuple((round(x + dx, 2), round(y + dy, 2)) for dx, dy in _outline(shape, radius))
        things.append(Thing(shape, color, radius, (x, y), polygon))
    return Scene(width, height, tuple(things), int(rng.integers(2**31)))


def _draw_ground(scene: Scene) -> Image.Image:
    """Red rises along x, blue along y, with a little seeded noise."""
    rng = np.random.Generator(np.random.PCG64(scene.shade_seed))
    shape = (scene.height, scene.width, 3)
    ground = rng.integers(-6, 7, shape, dtype=np.int16)
    ground[..., 0] += np.linspace(30, 150, scene.width).astype(np.int16)[None, :]
    ground[..., 1] += 80
    ground[..., 2] += np.linspace(30, 150, scene.height).astype(np.int16)[:, None]
    return Image.fromarray(ground.astype(np.uint8))


def render(scene: Scene) -> Image.Image:
    """The scene as an RGB image of its own size; the same scene gives the same pixels."""
    image = _draw_ground(scene)
    for thing in scene.things:
        # Only the thing's own corner of the image is drawn large and averaged down.
        x1, y1, x2, y2 = thing.box
        left, top, width, height = int(x1), int(y1), int(x2 - int(x1)) + 2, int(y2 - int(y1)) + 2
        corners = [((x - left) * _SUPERSAMPLE, (y - top) * _SUPERSAMPLE) for x, y in thing.polygon]
        stencil = Image.new("L", (width * _SUPERSAMPLE, height * _SUPERSAMPLE), 0)
        ImageDraw.Draw(stencil).polygon(corners, fill=255)
        smooth = stencil.resize((width, height), Image.Resampling.BOX)
        image.paste(COLORS[thing.color], (left, top), mask=smooth)
    return image


def encode_jpeg(image: Image.Image) -> bytes:
    """The image as the JPEG bytes in which the world keeps it."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()
