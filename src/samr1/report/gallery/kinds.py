"""The four kinds of question that the paper's Figure 3 shows, and which samples are of which kind.

No data set says it, so a sample is of a kind only
- by its ground truth alone (`boundaries`: the outline is far from convex),
- because the drawn world says what else stands in the picture (`several`, `distractors`), or
- because a person says so, in `config/kinds.yaml`.
A kind that nothing speaks of stays empty: the drawn world has no parts of a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
import pyarrow as pa

from samr1.config.errors import read_mapping, show
from samr1.config.schema import Frozen, parse_config
from samr1.core.errors import UserError
from samr1.data.masks import Mask, box_iou
from samr1.micro.scenes import Scene
from samr1.micro.world import draw_again

Kind = Literal["several", "part", "distractors", "boundaries"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Of its convex hull a square fills all, the micro world's cross about 0.73 and its star 0.53.
MOST_SOLID = 0.75

TITLES: dict[Kind, str] = {
    "several": "One among several subjects",
    "part": "Part of a whole",
    "distractors": "Distractors",
    "boundaries": "Complex boundaries",
}
# How a sample comes to be of a kind, where no person has said it.
RULES: dict[Kind, str] = {
    "several": (
        "Another thing has the shape of the one asked about. Known of the drawn world; elsewhere "
        "only where a person has said so."
    ),
    "part": "Only where a person has said so: the drawn world has no parts.",
    "distractors": (
        "A thing of another shape has the colour of the one asked about. Known of the drawn world; "
        "elsewhere only where a person has said so."
    ),
    "boundaries": (
        f"The largest piece of the ground truth fills less than {MOST_SOLID:.0%} of its convex "
        "hull, or a person has said so."
    ),
}


class SaidKinds(Frozen):
    """`config/kinds.yaml`: scale → benchmark → kind → ids of samples."""

    scales: dict[str, dict[str, dict[Kind, tuple[str, ...]]]]


def load_said(path: Path, scale: str) -> dict[str, dict[Kind, tuple[str, ...]]]:
    """What a person says of the samples of `scale`: benchmark → kind → ids; UserError if bad."""
    return parse_config(read_mapping(path), SaidKinds, str(path)).scales.get(scale, {})


def drawn_kinds(samples: pa.Table, seed: int) -> list[set[Kind]]:
    """The kinds that the drawn world of `seed` gives each of `samples`, in their order.

    Raises UserError where a sample is not of that world.
    """
    scenes = draw_again(samples["image_id"].to_pylist(), seed)
    rows = samples.select(["image_id", "box"]).to_pylist()
    return [_kinds_in(scenes[row["image_id"]], row["box"]) for row in rows]


def _kinds_in(scene: Scene, box: list[float]) -> set[Kind]:
    """The kinds of a question about the thing that `box` (xyxy, original pixels) encloses."""
    overlaps = [box_iou(thing.box, box) for thing in scene.things]
    if max(overlaps) == 0:
        return set()  # an image without ground truth asks about nothing
    target = scene.things[int(np.argmax(overlaps))]
    others = [thing for thing in scene.things if thing is not target]
    kinds: set[Kind] = set()
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


def known_kinds(
    samples: pa.Table,
    world_seed: int | None,
    said: Mapping[Kind, tuple[str, ...]],
    where: str,
) -> list[set[Kind]]:
    """The kinds of each of `samples` by the drawn world, if there is one, and by what is `said`.

    Raises UserError, which begins with `where`, if an id that is said is none of the samples'.
    """
    kinds = (
        [set() for _ in range(len(samples))]
        if world_seed is None
        else (drawn_kinds(samples, world_seed))
    )
    row = {sample_id: i for i, sample_id in enumerate(samples["sample_id"].to_pylist())}
    for kind, chosen in said.items():
        for sample_id in chosen:
            if sample_id not in row:
                raise UserError(
                    f"{where}.{kind}: {show(sample_id)} is none of the benchmark's samples; "
                    "correct the id."
                )
            kinds[row[sample_id]].add(kind)
    return kinds
