"""The four kinds of question that the paper's Figure 3 shows, and which samples are of which kind.

No data set says it, so a sample is of a kind only
- by its ground truth alone (`boundaries`: the outline is far from convex),
- because the drawn world says so (`part`) or what else stands in the picture (`several`,
  `distractors`), or
- because a person says so, in `config/kinds.yaml`.
A kind that nothing speaks of stays empty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

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

# Of its convex hull a square fills all, the micro world's cross about 0.73 and its star 0.53.
MOST_SOLID = 0.75

# Title of each kind, and how a sample comes to be of it where no person has said so.
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

LabelledSamples = Mapping[Kind, tuple[str, ...]]  # ids of samples, as a person labels them


class LabelledKinds(Frozen):
    """`config/kinds.yaml`: scale → benchmark → kind → ids of samples."""

    scales: dict[str, dict[str, dict[Kind, tuple[str, ...]]]]


def load_labelled_kinds(
    path: Path, scale: str, samples: Mapping[str, Collection[str]]
) -> dict[str, LabelledSamples]:
    """What a person says of the `samples` of `scale` (benchmark → ids): benchmark → kind → ids.

    Raises UserError where the file is wrong, or names a benchmark or an id that is not there.
    """
    found = parse_config(read_mapping(path), LabelledKinds, str(path)).scales.get(scale, {})
    for benchmark, kinds in found.items():
        where = f"{path}: scales.{scale}.{benchmark}"
        if benchmark not in samples:
            raise UserError(f"{where}: is none of {', '.join(samples)}; correct the name.")
        for kind, ids in kinds.items():
            for unknown in sorted(set(ids).difference(samples[benchmark])):
                raise UserError(
                    f"{where}.{kind}: {show(unknown)} is none of the benchmark's samples; correct "
                    "the id."
                )
    return {benchmark: found.get(benchmark, {}) for benchmark in samples}


def list_kinds(
    samples: pa.Table, world_seed: int | None, labelled: LabelledSamples
) -> list[set[Kind]]:
    """The kinds of each sample, apart from its ground truth: as `labelled`, and of a drawn world.

    Raises UserError where the world of that seed has no such image.
    """
    rows = samples.select(["sample_id", "image_id", "box"]).to_pylist()
    scenes: Mapping[str, Scene] = {}
    if world_seed is not None:
        scenes = draw_again([row["image_id"] for row in rows], world_seed)
    found = []
    for row in rows:
        kinds = {kind for kind, ids in labelled.items() if row["sample_id"] in ids}
        if scenes:
            kinds |= kinds_in_scene(scenes[row["image_id"]], row["box"])
        found.append(kinds)
    return found


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
