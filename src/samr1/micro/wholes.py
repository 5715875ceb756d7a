"""Things made of parts: a house has a roof, a door and a wall, a cart has a wheel and a body.

Parts touch and do not overlap: the door stands in a notch of the wall and the wheel in one of the
body, so that the box of a wall holds the door too and its middle need not be on the wall.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Corners = list[tuple[float, float]]

# Each whole's parts, the foremost first, and the plain shape that each part looks like.
WHOLES: dict[str, tuple[str, ...]] = {"house": ("roof", "door", "wall"), "cart": ("wheel", "body")}
RESEMBLES = {
    "roof": "triangle",
    "door": "square",
    "wall": "square",
    "wheel": "circle",
    "body": "square",
}
PARTS = tuple(RESEMBLES)


@dataclass(frozen=True)
class PartOutline:
    """A part about its whole's middle, in radii of the whole.

    `center` lies on the part, with `radius` of the part about it, and `corners` go clockwise.
    """

    center: tuple[float, float]
    radius: float
    corners: Corners


def part_outline(part: str, shift: float) -> PartOutline:
    """A part's outline; `shift` in −1 to 1 moves the door and the wheel along their whole."""
    if part == "roof":
        return PartOutline((0.0, -0.45), 0.5, [(0.0, -1.0), (0.95, -0.1), (-0.95, -0.1)])
    if part in ("door", "wall"):
        left, right = 0.3 * shift - 0.28, 0.3 * shift + 0.28
        if part == "door":
            corners = [(left, 0.2), (right, 0.2), (right, 0.9), (left, 0.9)]
            return PartOutline((0.3 * shift, 0.55), 0.3, corners)
        notch = [(right, 0.9), (right, 0.2), (left, 0.2), (left, 0.9)]
        corners = [(-0.8, -0.1), (0.8, -0.1), (0.8, 0.9), *notch, (-0.8, 0.9)]
        return PartOutline((0.0, 0.05), 0.4, corners)
    middle, rim = 0.4 * shift, 0.45
    if part == "wheel":
        around = [(math.cos(math.tau * i / 24), math.sin(math.tau * i / 24)) for i in range(24)]
        corners = [(middle + rim * x, 0.25 + rim * y) for x, y in around]
        return PartOutline((middle, 0.25), rim, corners)
    over = [(math.cos(math.pi * i / 12), -math.sin(math.pi * i / 12)) for i in range(13)]
    notch = [(middle + rim * x, 0.25 + rim * y) for x, y in over]  # from right to left
    corners = [(-1.0, -0.55), (1.0, -0.55), (1.0, 0.25), *notch, (-1.0, 0.25)]
    return PartOutline((0.0, -0.37), 0.4, corners)
