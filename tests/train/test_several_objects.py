"""A question about several objects: the union of their masks is the target, the answer a list."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from own_pictures import mask_array
from training_world import make_stage

from samr1.config.names import DialectName
from samr1.data.masks import encode_mask, mask_box
from samr1.micro.scenes import Thing, draw_scene, generator, render
from samr1.policy.dialects import get_dialect
from samr1.policy.prompt_settings import resolve
from samr1.segmenter import Segmenter
from samr1.train.batches import Batch, Sample
from samr1.train.reward import score_groups

SIDE = 840


@pytest.mark.parametrize("dialect", ["vision_reasoner", "sam_r1_list", "sam_r1_1000_list"])
@pytest.mark.parametrize("target", ["mask", "box"])
def test_a_list_is_rewarded_by_the_union_and_a_part_of_it_by_less(
    tmp_path: Path, dialect: DialectName, target: str
) -> None:
    stage = make_stage(tmp_path)
    policy = stage.policy.model_copy(update={"image_size": SIDE})
    stage = stage.model_copy(update={"dialect": dialect, "policy": policy})
    scene = draw_scene(generator("several objects", 3))
    first, second, *others = scene.things
    truth = mask_array(scene, 0) | mask_array(scene, 1)
    box, mask = mask_box(truth), encode_mask(truth) if target == "mask" else None
    sample = Sample(0, "s", "i", "i.jpg", scene.width, scene.height, "both of them", box, mask)
    known = truth if target == "mask" else box
    batch = Batch([sample], [], {"i": np.asarray(render(scene))}, [known], [0], True)
    form = get_dialect(dialect)

    def say(*things: Thing) -> str:
        scale = np.array(form.frame(SIDE)) / (scene.width, scene.height)
        listed = [
            {
                "bbox_2d": np.multiply(thing.box, [*scale, *scale]).round(1).tolist(),
                "point_2d": np.multiply(thing.center, scale).round(1).tolist(),
            }
            | ({"label": "one"} if "label" in form.shape else {})
            for thing in things
        ]
        return f"<think>both of them</think><answer>{json.dumps(listed)}</answer>"

    segmenter = Segmenter.load(resolve("micro", "segmenter"), 128)
    said = [(first, second), (second, first), (first,), (second,), (first, second, *others)]
    ((both, turned, one, other, more),) = score_groups(
        segmenter, batch, [[say(*things) for things in said]], stage
    )
    assert both.parts.total == 6.0  # above the highest tier, and well formed
    assert turned.iou == both.iou
    for part in (one, other, more):
        assert part.iou < 0.8 < both.iou and part.parts.total < both.parts.total
