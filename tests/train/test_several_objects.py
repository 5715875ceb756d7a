"""A question about several objects: the union of their masks is the target, the answer a list."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from own_pictures import mask_array
from training_world import make_stage

from samr1.data.masks import encode_mask, mask_box
from samr1.micro.scenes import Thing, draw_scene, generator, render
from samr1.policy.prompt_settings import resolve
from samr1.segmenter import Segmenter
from samr1.train.batches import Batch, Sample
from samr1.train.reward import score_groups

SIDE = 840


def test_a_list_is_rewarded_by_the_union_and_a_part_of_it_by_less(tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    policy = stage.policy.model_copy(update={"image_size": SIDE})
    stage = stage.model_copy(update={"dialect": "vision_reasoner", "policy": policy})
    scene = draw_scene(generator("several objects", 0))
    first, second, *_ = scene.things
    truth = mask_array(scene, 0) | mask_array(scene, 1)
    box, mask = mask_box(truth), encode_mask(truth)
    sample = Sample(0, "s", "i", "i.jpg", scene.width, scene.height, "both of them", box, mask)
    batch = Batch([sample], [], {"i": np.asarray(render(scene))}, [truth], [0], True)

    def say(*things: Thing) -> str:
        scale = np.array([SIDE / scene.width, SIDE / scene.height])
        listed = [
            {
                "bbox_2d": np.multiply(thing.box, [*scale, *scale]).round(1).tolist(),
                "point_2d": np.multiply(thing.center, scale).round(1).tolist(),
            }
            for thing in things
        ]
        return f"<think>both of them</think><answer>{json.dumps(listed)}</answer>"

    segmenter = Segmenter.load(resolve("micro", "segmenter"), 128)
    texts = [say(first, second), say(second, first), say(first), say(second)]
    ((both, turned, one, other),) = score_groups(segmenter, batch, [texts], stage)
    assert both.parts.total == 6.0  # above the highest tier, and well formed
    assert turned.iou == both.iou
    assert one.iou + other.iou < 1.0 and max(one.iou, other.iou) < 0.8 < both.iou
    assert one.parts.total < both.parts.total and other.parts.total < both.parts.total
