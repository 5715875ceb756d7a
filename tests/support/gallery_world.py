"""A few questions with answers of every outcome, for the gallery's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from samr1.core import schemas
from samr1.data.masks import Mask, encode_mask, mask_box

WIDTH, HEIGHT = 60, 40
HOSTILE = '</script><img src=x onerror="window.broken=1"><script>window.broken=1</script><!--'


def square(left: int, top: int, side: int) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + side, left : left + side] = True
    return mask


TRUTH = square(10, 10, 20)


def sample(number: int, root: Path, **changes: Any) -> dict[str, Any]:
    """Sample `s<number>`, whose image is written to `root`."""
    path = f"{number}.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90 + number % 100, np.uint8)).save(root / path)
    return {
        "sample_id": f"s{number}",
        "dataset": "refcocog",
        "split": "test",
        "image_id": str(number),
        "image_path": path,
        "width": WIDTH,
        "height": HEIGHT,
        "query": f"question number {number}",
        "sentence_index": 0,
        "box": mask_box(TRUTH),
        "mask": encode_mask(TRUTH),
        "ignore": None,
    } | changes


def answer(number: int, mask: Mask | None, **changes: Any) -> dict[str, Any]:
    """An answer to sample `s<number>`; one without a mask could not be read."""
    read = {
        "text": "<think>it fits</think>",
        "think": "it fits",
        "box": None if mask is None else mask_box(mask),
        "points": [{"x": 20.0, "y": 20.0, "value": 1}, {"x": 50.0, "y": 5.0, "value": 0}],
        "label": "square",
        "mask": None if mask is None else encode_mask(mask),
        "sam_score": 0.9,
        "status": "ok",
        "response_tokens": 7,
    }
    if mask is None:
        read |= dict.fromkeys(("think", "points", "label", "sam_score"))
        read |= {"text": "I cannot see it.", "status": "no_answer"}
    return {"sample_id": f"s{number}"} | read | changes


# Answers of each outcome, in the order of `records.OUTCOMES`, with the IoU of mask and box.
GOOD = square(10, 10, 18)  # 324 of 400
POOR = square(20, 20, 15)  # 100 of 525
WRONG = square(45, 20, 10)


def samples_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def predictions_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schemas.PREDICTIONS)
