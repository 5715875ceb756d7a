"""A few small samples and answers to them, and training metrics, for the report's tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from made_up_samples import sample_row, sample_table
from PIL import Image

from samr1.core import schemas
from samr1.core.files import write_table
from samr1.data.masks import Mask, encode_mask
from samr1.report.figures.curves import PANELS

WIDTH, HEIGHT = 60, 40  # of every image
HOSTILE = '</script><img src=x onerror="window.broken=1"><script>window.broken=1</script><!--'

Box = tuple[int, int, int, int]
TRUTH: Box = (10, 10, 30, 30)  # of every sample; its mask fills it
# Boxes whose masks have an IoU of 324 / 400, 100 / 525 and 0 with it.
GOOD, POOR, WRONG = (10, 10, 28, 28), (20, 20, 35, 35), (45, 20, 55, 30)


def fill(box: Box) -> Mask:
    """A mask that fills a box."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


def _drawn(box: Box) -> dict[str, Any]:
    return {"box": [float(side) for side in box], "mask": encode_mask(fill(box))}


def sample(**changes: Any) -> dict[str, Any]:
    """A sample on `image.png`."""
    row = sample_row("image.png", (WIDTH, HEIGHT), "it") | _drawn(TRUTH)
    return row | {"dataset": "refcocog", "image_id": "0"} | changes


def answer(
    box: Box | None, points: Sequence[tuple[float, float, int]] = (), /, **changes: Any
) -> dict[str, Any]:
    """An answer whose mask fills its box; None as a box is an answer that could not be read."""
    row: dict[str, Any] = dict.fromkeys(schemas.PREDICTIONS.names) | {"response_tokens": 9}
    if box is None:
        return row | {"status": "no_answer", "text": "I cannot see it."} | changes
    named = [dict(zip(("x", "y", "value"), point, strict=True)) for point in points]
    row |= {**_drawn(box), "points": named, "status": "ok", "text": "<think>it fits well</think>"}
    return row | {"think": "it fits well", "label": "square"} | changes


samples = sample_table


def predictions(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """The answers to `s0`, `s1`, ... in this order."""
    named = [{**row, "sample_id": f"s{i}"} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(named, schemas.PREDICTIONS)


def write_image(root: Path, name: str = "image.png") -> str:
    """A grey image under `root`; its name."""
    Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(root / name)
    return name


def write_training(folder: Path, run: str, seed: int, **columns: Sequence[float | None]) -> Path:
    """Training metrics in the workflow's layout: `columns`, and 1 everywhere else."""
    count = len(next(iter(columns.values())))
    values = {name: [1.0] * count for name in PANELS} | columns
    path = folder / "training" / run / f"seed_{seed}.parquet"
    write_table(path, pa.table({"step": pa.array(range(count), pa.int32()), **values}))
    return path
