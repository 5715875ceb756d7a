"""The page of what the tiny models can do before any reward."""

from __future__ import annotations

from collections.abc import Mapping

from samr1.pretrain.check import GROUP, Row

_HEAD = f"""\
# The base of the micro scale, before any reward

Measured on scenes that neither the world nor the cold start has, by

    python -m samr1.cli.check_base --output results/reference/micro/base/README.md

Right: the answer's mask has its highest IoU with the thing that was asked for. Greedy, or {GROUP}
samples at temperature 1; a group is mixed if it holds right answers and wrong ones. Percent.
"""
_BARS = f"""\
The bars, by which the cold start was chosen, and not by a trained run's score: right (greedy) in
55 to 70 by relation alone and in 40 to 60 of the ReasonSeg-like questions; one of {GROUP} right in
at least 90; at least 95 parseable in every dialect; the segmenter's IoU at least 85.
"""


def check_page(
    rows: Mapping[str, Row], dialects: Mapping[str, float], segmenter: tuple[float, float]
) -> str:
    """The page as Markdown: a row a manner of asking, the dialects, the segmenter."""
    titles = ["", "n", "right (greedy)", "right (sampled)", f"one of {GROUP} right", "mixed groups"]
    titles += ["gIoU (greedy)", "gIoU if right"]
    table = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    spread = [
        ["", "above 0.8", "0.7 to 0.8", "0.5 to 0.7", "below", "tokens: 5 %", "50 %", "95 %"],
        ["---", *["---:"] * 7],
    ]
    for name, row in rows.items():
        shares = [row.right_greedy, row.right_sampled, row.right_once, row.mixed]
        shares += [row.iou, row.iou_if_right]
        table.append([name, str(row.questions), *map(_percent, shares)])
        spread.append([name, *map(_percent, row.tiers), *(f"{one:.0f}" for one in row.lengths)])
    read = [["dialect", *dialects], ["---", *["---:"] * len(dialects)]]
    read.append(["parseable (greedy)", *map(_percent, dialects.values())])
    whole, parts = map(_percent, segmenter)
    said = (
        f"The segmenter in the true box with a point: mean IoU {whole}, of parts alone {parts}.\n"
    )
    blocks = [_HEAD, _BARS, _table(table), "The IoUs and lengths of the samples:\n"]
    return "\n".join([*blocks, _table(spread), _table(read), said])


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
