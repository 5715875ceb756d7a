"""A picture of results: question, thought, box, point and mask on the image, a row a run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from samr1.core.files import atomic_file
from samr1.data.images import load_rgb
from samr1.data.masks import decode_mask, mask_iou

# Okabe-Ito colours, which colour-blind readers tell apart.
_MASK, _BOX, _TRUTH = (0.0, 0.62, 0.45), "#E69F00", "#FFFFFF"


def draw_examples(
    samples: pa.Table,
    predictions: Sequence[tuple[str, pa.Table]],
    root: Path,
    count: int,
    output: Path,
) -> None:
    """Draw `count` samples, evenly spread over the file, as one PNG; a row a run.

    `samples` is of `schemas.SAMPLES`, each of `predictions` (run's name, table) of
    `schemas.PREDICTIONS`, with the same sample ids; images are read under `root`.
    """
    rows = samples.to_pylist()
    chosen = [rows[int(i)] for i in np.linspace(0, len(rows) - 1, count + 2)[1:-1]]
    figure, axes = plt.subplots(
        len(predictions),
        count,
        figsize=(3.1 * count, 3.9 * len(predictions)),
        squeeze=False,
        layout="constrained",
    )
    for line, (run, table) in zip(axes, predictions, strict=True):
        answers = {row["sample_id"]: row for row in table.to_pylist()}
        for axis, sample in zip(line, chosen, strict=True):
            _draw(axis, sample, answers[sample["sample_id"]], root)
        line[0].set_ylabel(run, fontsize=12, fontweight="bold")
    with atomic_file(output) as temporary, temporary.open("wb") as file:
        # Without the library's version in the file, the same picture is the same bytes.
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def _draw(axis: Axes, sample: dict[str, Any], answer: dict[str, Any], root: Path) -> None:
    image = load_rgb(root / sample["image_path"])
    axis.imshow(image)
    axis.set_xlim(0, sample["width"])  # a box at the edge must not widen the picture
    axis.set_ylim(sample["height"], 0)
    axis.set_xticks([])
    axis.set_yticks([])
    truth = decode_mask(sample["mask"])
    if truth.any():
        axis.contour(truth, levels=[0.5], colors=_TRUTH, linewidths=1.2, linestyles="dotted")
    iou = 0.0
    if answer["mask"] is not None:
        mask = decode_mask(answer["mask"])
        iou = mask_iou(mask, truth)
        axis.imshow(np.dstack([*(np.full(mask.shape, c) for c in _MASK), 0.6 * mask]))
    if answer["box"] is not None:
        x1, y1, x2, y2 = answer["box"]
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=_BOX, lw=2))
    for point in answer["points"] or []:
        marker = "o" if point["value"] else "X"
        axis.plot(point["x"], point["y"], marker, color=_BOX, mec="black", ms=8)
    axis.set_title(textwrap.fill(sample["query"], 36), fontsize=9)
    thought = answer["think"] or f"({answer['status']})"
    axis.set_xlabel(f"{textwrap.fill(thought, 42)}\nIoU {iou:.2f}", fontsize=8)
