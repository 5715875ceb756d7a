"""The four kinds of question that the paper's Figure 3 shows, and which samples are of which kind.

No data set says it, so a sample is of a kind only
- by its ground truth alone (`boundaries`: the outline is far from convex), or
- because the drawn world says so (`part`) or what else stands in the picture (`several`,
  `distractors`).
A kind that nothing speaks of stays empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import pyarrow as pa

from samr1.data.masks import Mask, box_iou
from samr1.micro.scenes import Scene
from samr1.micro.world import draw_again

Kind = Literal["several", "part", "distractors", "boundaries"]

# Of its convex hull a square fills all, the micro world's cross about 0.73 and its star 0.53.
MOST_SOLID = 0.75

# Title of each kind, and how a sample comes to be of it.
KINDS: dict[Kind, tuple[str, str]] = {
    "several": (
        "One among several subjects",
        "Another thing has the shape of the one asked about; known of the drawn world.",
    ),
    "part": (
        "Part of a whole",
        "What is asked about is a part, as the wheel of a cart; known of the drawn world.",
    ),
    "distractors": (
        "Distractors",
        "A thing of another shape has the colour of the one asked about; known of the drawn world.",
    ),
    "boundaries": (
        "Complex boundaries",
        f"The largest piece of the ground truth fills less than {MOST_SOLID:.0%} of its convex "
        "hull.",
    ),
}


def list_kinds(samples: pa.Table, world_seed: int | None) -> list[set[Kind]]:
    """The kinds of each sample, apart from its ground truth: in a drawn world, elsewhere none.

    Raises UserError where the world of that seed has no such image.
    """
    if world_seed is None:
        return [set() for _ in range(len(samples))]
    rows = samples.select(["image_id", "box"]).to_pylist()
    scenes = draw_again([row["image_id"] for row in rows], world_seed)
    return [kinds_in_scene(scenes[row["image_id"]], row["box"]) for row in rows]


def kinds_in_scene(scene: Scene, box: Sequence[float]) -> set[Kind]:
    """The kinds of a question about the thing that `box` (xyxy, original pixels) encloses."""
    overlaps = [box_iou(thing.box, box) for thing in scene.things]
    if max(overlaps) == 0:
        return set()  # an image without ground truth asks about nothing
    target = scene.things[int(np.argmax(overlaps))]
    others = [thing for thing in scene.things if thing is not target]
    kinds: set[Kind] = set() if target.whole is None else {"part"}
    if any(thing.shape == target.shape for thing in others):
        kinds.add("several")
    if any(thing.color == target.color and thing.shape != target.shape for thing in others):
        kinds.add("distractors")
    return kinds


def has_complex_boundary(truth: Mask) -> bool:
    """Whether the largest piece of a mask [h, w] fills little of its hull; False if empty."""
    contours, _ = cv2.findContours(truth.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return False
    largest = max(contours, key=cv2.contourArea)
    hull = cv2.contourArea(cv2.convexHull(largest))
    return bool(hull > 0 and cv2.contourArea(largest) / hull < MOST_SOLID)
