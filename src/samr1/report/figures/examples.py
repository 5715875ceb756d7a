"""A picture of results: question, thought, box, point and mask on the image, a row a run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from samr1.data.images import load_rgb
from samr1.data.masks import decode_mask
from samr1.data.painting import paint_mask
from samr1.evaluation.answers import list_objects
from samr1.report.predictions import Answers, measure_ious

_SIZE = (1.75, 2.2)  # inches of an example
_BOX, _TRUTH = "#E69F00", "#FFFFFF"


def draw_examples(answers: Answers, root: Path, count: int = 5) -> Figure:
    """Draw `count` samples, evenly spread, with the answers of each run's first seed.

    Images are read under `root`; raises UserError where one cannot be.
    """
    samples, ious = answers.samples.to_pylist(), measure_ious(answers)
    chosen = np.linspace(0, len(samples) - 1, count + 2)[1:-1].astype(int)
    figure = Figure(figsize=(_SIZE[0] * count, _SIZE[1] * len(answers.runs)))
    axes = figure.subplots(len(answers.runs), count, squeeze=False)
    for line, (run, tables) in zip(axes, answers.runs.items(), strict=True):
        given = {row["sample_id"]: row for row in tables[0].to_pylist()}
        for axis, place in zip(line, chosen, strict=True):
            answer = given[samples[place]["sample_id"]]
            _draw(axis, samples[place], answer, ious[run][0][place], root)
        line[0].set_ylabel(run, fontsize=7, fontweight="bold")
    return figure


def _draw(
    axis: Axes, sample: dict[str, Any], answer: dict[str, Any], iou: float, root: Path
) -> None:
    axis.imshow(load_rgb(root / sample["image_path"]))
    axis.set_xlim(0, sample["width"])  # a box at the edge must not widen the picture
    axis.set_ylim(sample["height"], 0)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    _draw_truth(axis, sample)
    if answer["mask"] is not None:
        axis.imshow(paint_mask(decode_mask(answer["mask"])).convert("RGBA"))
    for one in list_objects(answer):
        if one["box"] is not None:
            _draw_box(axis, one["box"], ec=_BOX, lw=1.2)
        for point in one["points"] or []:
            marker = "o" if point["value"] else "X"
            axis.plot(point["x"], point["y"], marker, color=_BOX, mec="black", mew=0.6, ms=4.5)
    axis.set_title(textwrap.fill(sample["query"], 36), fontsize=5, loc="center", pad=2)
    thought = answer["think"] or f"({answer['status']})"
    axis.set_xlabel(f"{textwrap.fill(thought, 42)}\nIoU {iou:.2f}", fontsize=4.5)


def _draw_truth(axis: Axes, sample: dict[str, Any]) -> None:
    """The outline of the sample's mask, or its box where that is all that is known."""
    if sample["mask"] is None:
        _draw_box(axis, sample["box"], ec=_TRUTH, lw=0.7, ls="dotted")
        return
    truth = decode_mask(sample["mask"])
    if truth.any():
        axis.contour(truth, levels=[0.5], colors=_TRUTH, linewidths=0.7, linestyles="dotted")


def _draw_box(axis: Axes, box: Sequence[float], **look: Any) -> None:
    x1, y1, x2, y2 = box
    axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **look))
