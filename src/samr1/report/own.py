"""The page of data of one's own: the policies before and after training on it, side by side."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from samr1.config.published import Column
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.core.schemas import COMPARISONS
from samr1.report.dataset.facts import warn_of_few
from samr1.report.tables.differences import Comparisons, Row, list_differences
from samr1.report.tables.html import write_page
from samr1.report.tables.layout import UNPARSEABLE
from samr1.report.tables.markdown import (
    aligned_table,
    join_blocks,
    link_to,
    measured_cell,
    percent,
)
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import seeds_note

# What is shown, as far as it was measured: masks by the protocol that leaves ignored pixels out, as
# the reward does (`seg_zero`, the paper's own, counts them as target), and boxes.
METRICS = {
    "giou": ("gIoU", "lisa"),
    "ciou": ("cIoU", "lisa"),
    "right_point": ("points on the target", "lisa"),
    "box_iou": ("mean box IoU", "rec"),
    "box_accuracy_0.5": ("boxes of IoU > 0.5", "rec"),
}
_NOTE = (
    "> Scale `{scale}`: the tiny models, which know drawn pictures alone. Nothing here is "
    "comparable with published figures."
)
_HOW = "In percent, on the test part, which no training has seen; greedy decoding. "
_OF_MASKS = (
    "gIoU is the mean IoU of the masks and cIoU the IoU of all their pixels together; ignored "
    "pixels are left out, and an answer that cannot be read counts 0."
)
_OF_BOXES = (
    "Of a list, the box around all of its boxes is compared; an answer that cannot be read counts "
    "0."
)
_OTHER_PROMPT = (
    "`{}` is asked as `{}`, `{}` as `{}`: they differ by their prompts too. An untrained run of "
    "the same policy in the latter's dialect would be the base in its place."
)
_DIFFERENCES = (
    "**difference** in points [95 % interval, by a bootstrap paired over the images, and over the "
    "seeds where there are several]: where it is wide or holds 0, more test images would tell. A "
    "difference of one seed is of two policies and not of their settings; of several seeds, ▲ and "
    "▼ mark what is better or worse by more than noise."
)


def write_own_page(
    output: Path,
    own: str,
    samples: pa.Table,
    measurements: Measurements,
    comparisons: Sequence[Path],
    *,
    examples: Path,
    curves: Path,
    gallery: Path,
    data_page: Path,
    policies: Sequence[Path],
    asked_otherwise: Sequence[Sequence[str]] = (),
    micro_world: str | None = None,
) -> None:
    """Write the page of the data set `own`, as HTML.

    It shows what `comparisons` hold against one another on the test part, whose `samples` it
    counts, holds the pictures `examples` and `curves` (PNG) and leads to the rest.
    `asked_otherwise` are a base, its dialect, a run and its dialect, where these differ. What is of
    the scale `micro_world` says so. Raises UserError where nothing was compared, or a run lacks a
    figure.
    """
    images = pc.count_distinct(samples["image_id"]).as_py()
    rows = [row for path in comparisons for row in read_table(path, COMPARISONS).to_pylist()]
    rows = [row for row in rows if row["benchmark"] == own]
    if not rows:
        raise UserError(f"{own}: no run was compared on it; give the comparisons of its runs.")
    blocks = [
        f"# {own}: before and after training",
        *([_NOTE.format(scale=micro_world)] if micro_world else []),
        *_figures(own, rows, measurements, images),
        *(_OTHER_PROMPT.format(*names) for names in asked_otherwise),
        "## Questions of the test part",
        _picture(examples),
        f"Dotted is the truth, green the answer's mask, orange its box and point. "
        f"{link_to(gallery, output, 'Every question with its answers')}; "
        f"{link_to(data_page, output, 'what was read of the data')}.",
        "## Training",
        _picture(curves),
        "## The policies",
        "Each is an ordinary folder of `transformers`, with a model card. To ask one about any "
        "picture:",
        *(f'    samr1 segment picture.jpg "the question" --policy {policy}' for policy in policies),
    ]
    write_page(join_blocks(blocks), output)


def _figures(own: str, rows: Sequence[Row], measurements: Measurements, images: int) -> list[str]:
    """The runs with their figures, and below them each with what it is over its base.

    Resamples of one image are all the same, so it has no intervals.
    """
    if images == 1:
        rows = [row | {"ci_low": None, "ci_high": None} for row in rows]
    pairs = list(dict.fromkeys((row["run"], row["baseline"]) for row in rows))
    measured = {(row["metric"], row["protocol"]) for row in rows}
    shown = [
        (metric, label, protocol)
        for metric, (label, protocol) in METRICS.items()
        if (metric, protocol) in measured
    ]
    runs = dict.fromkeys([*(base for _, base in pairs), *(run for run, _ in pairs)])
    lines = []
    for run in runs:
        found = [measurements.get(run, own, protocol, metric) for metric, _, protocol in shown]
        failed = percent(measurements.get(run, own, shown[0][2], UNPARSEABLE).value)
        count, seeds = f"{found[0].n:,}", str(len(found[0].seeds))
        cells = [measured_cell(one, bounded=images > 1) for one in found]
        lines.append([f"`{run}`", *cells, failed, count, seeds])
    columns = [Column(label=label, benchmark=own, metric=metric) for metric, label, _ in shown]
    named = [(f"`{run}`", run, base) for run, base in pairs]
    several = any(len(row["seeds"]) > 1 for row in rows)
    what = _OF_MASKS if ("giou", "lisa") in measured else _OF_BOXES
    return [
        aligned_table(
            ["run", *(label for _, label, _ in shown), UNPARSEABLE, "questions", "seeds"], lines
        ),
        f"{_HOW}{what} A cell is {seeds_note(several)}.",
        *list_differences(columns, named, Comparisons(rows, ("lisa", "rec"))).blocks[1:],
        _DIFFERENCES,
        *warn_of_few(images),
    ]


def _picture(path: Path) -> str:
    """A picture as part of the page."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f"![{path.stem}](data:image/png;base64,{content})"
