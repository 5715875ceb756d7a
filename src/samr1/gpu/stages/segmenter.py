"""SAM 2 with random weights, as published: images and prompts a second, in float32 and TF32."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from samr1.gpu.findings import Finding, Findings, found, not_measured
from samr1.gpu.models import random_segmenter
from samr1.gpu.setting import Setting
from samr1.gpu.timing import median_seconds
from samr1.segmenter import Prompt, Segmenter
from samr1.segmenter.segmenter import EMBEDDED_TOGETHER

_HEIGHT, _WIDTH = 480, 640  # as COCO's images


def look(setting: Setting) -> Findings:
    """As the reward uses it: a few images embedded together, a group's prompts decoded together."""
    _allow_tf32(False)  # convolutions have it by default
    segmenter = random_segmenter(setting.segmenter, setting.device)
    yield from _measure(segmenter, setting, "float32")
    if not setting.cuda:
        yield not_measured("segmenter.tf32.images", "SAM 2 in TF32")
        return
    _allow_tf32(True)
    yield from _measure(segmenter, setting, "tf32")


def _allow_tf32(allowed: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def _measure(segmenter: Segmenter, setting: Setting, kind: str) -> Iterator[Finding]:
    draw = np.random.default_rng(0)
    shape = (EMBEDDED_TOGETHER, _HEIGHT, _WIDTH, 3)
    images = list(draw.integers(0, 256, shape, dtype=np.uint8))
    embedding = segmenter.embed_batch(images)[0]
    seconds = median_seconds(lambda: segmenter.embed_batch(images), setting.device, setting.repeats)
    name = {"float32": "float32", "tf32": "TF32"}[kind]
    yield found(
        f"segmenter.{kind}.images",
        f"images embedded, {name}",
        EMBEDDED_TOGETHER / seconds,
        "images/s",
        f"{EMBEDDED_TOGETHER} together",
    )
    prompts = [
        Prompt((10.0 * i, 20.0, 200.0 + 10 * i, 300.0), ((100.0 + 10 * i, 150.0, 1),))
        for i in range(setting.group_size)
    ]
    seconds = median_seconds(
        lambda: segmenter.predict(embedding, prompts), setting.device, setting.repeats
    )
    yield found(
        f"segmenter.{kind}.prompts",
        f"prompts decoded, {name}",
        len(prompts) / seconds,
        "prompts/s",
        f"{len(prompts)} together, masks of {_WIDTH}×{_HEIGHT} pixels",
    )
