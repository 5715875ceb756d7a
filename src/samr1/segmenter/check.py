"""Whether a segmenter can judge masks, looked at step by step, the cheap steps first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import torch

from samr1.config.schema import SegmenterConfig
from samr1.core.checks import Step
from samr1.core.errors import UserError
from samr1.core.files import hash_file
from samr1.segmenter.files import PUBLISHED, find_sam2
from samr1.segmenter.segmenter import Prompt, Segmenter

CROP = 64  # pixels a side of the image that is embedded


def check_segmenter(config: SegmenterConfig, place: Callable[[], torch.device]) -> Iterator[Step]:
    """The steps from "is it there" to one mask on the device that `place` gives for loading.

    The weights are matched with the model's names and shapes where they are loaded.
    """
    find = cache(partial(find_sam2, config.path))
    load = cache(lambda: Segmenter.load(config.path, config.image_size, place()))

    def files() -> str:
        found = find()
        size = found.weights.stat().st_size
        return f"{found.weights.name}, {size / 1e6:.1f} MB, by {found.config.name}"

    def checksum() -> str:
        weights = find().weights
        digest = hash_file(weights)
        if weights.suffix != ".pt":
            return f"SHA-256 {digest}, with none published to compare"
        if digest != PUBLISHED[weights.stem]:
            raise UserError(
                f"{weights}: is not the file that Meta published (SHA-256 {digest}, not "
                f"{PUBLISHED[weights.stem]}); get it again."
            )
        return f"SHA-256 {digest}, as published"

    def weights() -> str:
        model = load().model
        count = sum(weight.numel() for weight in model.parameters())
        return (
            f"{len(model.state_dict())} names and shapes as the model has them, {count:,} "
            f"parameters, input of {config.image_size} pixels a side"
        )

    def forward() -> str:
        segmenter, image = load(), np.zeros((CROP, CROP, 3), np.uint8)
        box = (CROP / 4, CROP / 4, CROP / 2, CROP / 2)
        _, scores = segmenter.predict(segmenter.embed(image), [Prompt(box)])
        if not bool(scores.isfinite().all()):
            raise UserError(
                f"{config.path}: gives a score that is not finite; get the weights again."
            )
        return f"one image and one box on {segmenter.device}: a mask with score {scores[0]:.3f}"

    yield "segmenter: files", files
    yield "segmenter: checksum", checksum
    yield "segmenter: weights", weights
    yield "segmenter: forward pass", forward
