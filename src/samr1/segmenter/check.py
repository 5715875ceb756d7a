"""Whether a segmenter can judge masks, looked at step by step, the cheap steps first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from samr1.config.schema import SegmenterConfig
from samr1.core.errors import UserError
from samr1.segmenter.files import PUBLISHED, find_sam2
from samr1.segmenter.segmenter import Prompt, Segmenter

CROP = 64  # pixels a side of the image that is embedded


def check_segmenter(config: SegmenterConfig, device: str) -> Iterator[tuple[str, str]]:
    """What was looked at and what was found, from "is it there" to one mask on `device`.

    The weights are matched with the model's names and shapes where they are loaded. Raises
    UserError where something does not hold, which ends the looking: the rest needs it.
    """
    files = find_sam2(config.path)
    size = files.weights.stat().st_size
    found = f"{files.weights.name}, {size / 1e6:.1f} MB, by {files.config.name}"
    yield "segmenter: files", found

    yield "segmenter: checksum", _check_digest(files.weights)

    segmenter = Segmenter.load(config.path, config.image_size, device)
    count = sum(weight.numel() for weight in segmenter.model.parameters())
    found = (
        f"{len(segmenter.model.state_dict())} names and shapes as the model has them, {count:,} "
        f"parameters, input of {config.image_size} pixels a side"
    )
    yield "segmenter: weights", found

    image = np.zeros((CROP, CROP, 3), np.uint8)
    box = (CROP / 4, CROP / 4, CROP / 2, CROP / 2)
    _, scores = segmenter.predict(segmenter.embed(image), [Prompt(box)])
    if not bool(scores.isfinite().all()):
        raise UserError(f"{config.path}: gives a score that is not finite; get the weights again.")
    found = f"one image and one box on {device}: a mask with score {float(scores[0]):.3f}"
    yield "segmenter: forward pass", found


def _check_digest(weights: Path) -> str:
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if weights.suffix != ".pt":
        return f"SHA-256 {digest}, with none published to compare"
    if digest != PUBLISHED[weights.stem]:
        raise UserError(
            f"{weights}: is not the file that Meta published (SHA-256 {digest}, not "
            f"{PUBLISHED[weights.stem]}); get it again."
        )
    return f"SHA-256 {digest}, as published"
