"""Scenes of the micro world: flat shapes, and now and then a thing made of parts, on shaded ground.

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

from samr1.micro.wholes import RESEMBLES, WHOLES, part_outline

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (48, 168, 62),
    "blue": (40, 84, 220),
    "yellow": (240, 208, 40),
    "purple": (150, 52, 190),
    "white": (244, 244, 240),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
_WHOLE_SHARE = 0.4  # of the scenes have a thing made of parts
_SUPERSAMPLE = 3  # shapes are drawn this much larger and averaged down, for smooth edges


@dataclass(frozen=True)
class Thing:
    """One object or a part of one: its polygon is in pixels of the original image, clockwise.

    `center` lies on it, with about a third of `radius` around; `whole` is what it is a part of.
    """

    shape: str
    color: str
    radius: float
    center: tuple[float, float]
    polygon: tuple[tuple[float, float], ...]
    whole: str | None = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Extent of the polygon, xyxy, pixels of the original image."""
        xs, ys = zip(*self.polygon, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def is_like(self, shape: str) -> bool:
        """Whether it would pass for that shape: a roof does for a triangle."""
        return shape in (self.shape, RESEMBLES.get(self.shape))


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


Disc = tuple[float, tuple[float, float]]  # radius and centre of what a thing keeps clear


def _place(
    rng: np.random.Generator, size: tuple[int, int], radii: tuple[float, float], placed: list[Disc]
) -> Disc | None:
    """A radius (share of the shorter side, from `radii`) and a centre clear of edges and `placed`.

    None where none is found.
    """
    for _ in range(60):
        radius = float(rng.uniform(*radii)) * min(size)
        margin = radius * 1.2 + 1
        x = float(rng.uniform(margin, size[0] - margin))
        y = float(rng.uniform(margin, size[1] - margin))
        if all(math.dist((x, y), center) > 1.25 * (radius + other) for other, center in placed):
            return radius, (x, y)
    return None


def draw_scene(rng: np.random.Generator) -> Scene:
    """A scene of one to five things; some share a colour or a shape with another, or both.

    One of them may be made of parts, which are then things themselves. At least one thing is unlike
    all others in colour and shape, so that something can be asked.
    """
    while True:
        scene = _draw_any_scene(rng)
        looks = [(thing.shape, thing.color) for thing in scene.things]
        if any(looks.count(look) == 1 for look in looks):
            return scene


def _draw_any_scene(rng: np.random.Generator) -> Scene:
    size = int(rng.integers(96, 177)), int(rng.integers(96, 177))
    things: list[Thing] = []
    placed: list[Disc] = []
    if rng.random() < _WHOLE_SHARE:
        spot = _place(rng, size, (0.22, 0.28), placed)
        if spot is not None:
            placed.append(spot)
            things += _draw_whole(rng, spot)
    for _ in range(int(rng.integers(2, 6)) - len(placed)):
        spot = _place(rng, size, (0.11, 0.2), placed)
        if spot is None:
            break
        placed.append(spot)
        things.append(_draw_thing(rng, spot, things))
    return Scene(*size, tuple(things), int(rng.integers(2**31)))


def _draw_whole(rng: np.random.Generator, spot: Disc) -> list[Thing]:
    """The parts of a house or a cart, each in a colour of its own."""
    radius, center = spot
    whole = list(WHOLES)[int(rng.integers(len(WHOLES)))]
    shift = float(rng.uniform(-1, 1))
    colors = rng.permutation(list(COLORS))
    parts = []
    for part, color in zip(WHOLES[whole], colors, strict=False):
        outline = part_outline(part, shift)
        parts.append(
            Thing(
                part,
                str(color),
                radius * outline.radius,
                _about(center, radius, [outline.center])[0],
                _about(center, radius, outline.corners),
                whole,
            )
        )
    return parts


def _draw_thing(rng: np.random.Generator, spot: Disc, others: list[Thing]) -> Thing:
    """A plain thing, often like one of `others` in one respect or, rarely, in both."""
    radius, center = spot
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    color = list(COLORS)[int(rng.integers(len(COLORS)))]
    if others:
        like = others[int(rng.integers(len(others)))]
        chance = rng.random()
        shape = RESEMBLES.get(like.shape, like.shape) if chance < 0.45 else shape
        color = like.color if 0.37 < chance < 0.65 else color
    return Thing(shape, color, radius, center, _about(center, 1.0, _outline(shape, radius)))


def _about(
    center: tuple[float, float], scale: float, corners: list[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    x, y = center
    return tuple((round(x + scale * dx, 2), round(y + scale * dy, 2)) for dx, dy in corners)


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
