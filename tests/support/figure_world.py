"""Small made-up training metrics, samples and answers for the figures' tests."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from samr1.core import schemas
from samr1.core.files import write_table
from samr1.data.masks import encode_mask
from samr1.report.figures.curves import PANELS

SIZE = (60, 40)  # of every image, width and height
OBJECT = (10, 10, 30, 20)  # of every image: its mask and its box


def write_training(folder: Path, run: str, seed: int, **columns: Sequence[float | None]) -> Path:
    """Training metrics in the workflow's layout: `columns`, and 1 everywhere else."""
    count = len(next(iter(columns.values())))
    values = {name: [1.0] * count for name in PANELS} | columns
    path = folder / "training" / run / f"seed_{seed}.parquet"
    write_table(path, pa.table({"step": pa.array(range(count), pa.int32()), **values}))
    return path


def samples(count: int) -> pa.Table:
    """Samples `s0`, `s1`, ... whose object is at OBJECT."""
    mask = np.zeros(SIZE[::-1], bool)
    mask[OBJECT[1] : OBJECT[3], OBJECT[0] : OBJECT[2]] = True
    row = dict.fromkeys(schemas.SAMPLES.names) | {
        "width": SIZE[0],
        "height": SIZE[1],
        "box": [float(side) for side in OBJECT],
        "mask": encode_mask(mask),
    }
    rows = [row | {"sample_id": f"s{i}", "image_id": f"{i}"} for i in range(count)]
    return pa.Table.from_pylist(rows, schemas.SAMPLES)


def answer(
    box: Sequence[float] | None, points: Sequence[tuple[float, float, int]] = (), **more: Any
) -> dict[str, Any]:
    """An answer whose mask fills its box; None as a box is an answer that could not be read."""
    row: dict[str, Any] = dict.fromkeys(schemas.PREDICTIONS.names)
    if box is not None:
        mask = np.zeros(SIZE[::-1], bool)
        x1, y1, x2, y2 = (int(side) for side in box)
        mask[y1:y2, x1:x2] = True
        named = [dict(zip(("x", "y", "value"), point, strict=True)) for point in points]
        row |= {"box": list(box), "points": named, "mask": encode_mask(mask), "think": "a b c"}
    return row | {"response_tokens": 9} | more


def predictions(answers: Sequence[dict[str, Any]]) -> pa.Table:
    """The answers to `s0`, `s1`, ... in this order."""
    rows = [row | {"sample_id": f"s{i}"} for i, row in enumerate(answers)]
    return pa.Table.from_pylist(rows, schemas.PREDICTIONS)


def draw(module: Any, folder: Path, *arguments: object) -> list[Path]:
    """Run a figure's command; its PDF, its PNG and its dark PNG."""
    name = module.__name__.rpartition(".")[2]
    outputs = [folder / f"{name}.pdf", folder / f"{name}.png", folder / f"{name}_dark.png"]
    options = ("--output-pdf", "--output-png", "--output-png-dark")
    where = ["--micro-world", "smoke"]
    where += [text for pair in zip(options, map(str, outputs), strict=True) for text in pair]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *map(str, arguments), *where])
        module.main()
    return outputs
