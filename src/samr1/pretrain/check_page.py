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
# Lowest and highest, in percent. Right (greedy) and one of a group right have bars where a question
# is by relation alone, and where it is ReasonSeg-like.
_ANY = (0, 100)
_RELATION, _REASONING = (55, 70), (40, 60)
_ONCE, _PARSEABLE, _SEGMENTER = (90, 100), (95, 100), (85, 100)
_RIGHT = {
    "RefCOCOg-like, by relation alone": (_RELATION, _ONCE),
    "ReasonSeg-like, all": (_REASONING, _ONCE),
}
_BARS = f"""\
The bars, by which the cold start was chosen, and not by a trained run's score: right (greedy) in
{_RELATION[0]} to {_RELATION[1]} by relation alone and in {_REASONING[0]} to {_REASONING[1]} of
the ReasonSeg-like questions; one of {GROUP} right in at least {_ONCE[0]} of both; at least
{_PARSEABLE[0]} parseable in every dialect; the segmenter's IoU at least {_SEGMENTER[0]}. What
misses its bar has a ✗.
"""


def check_page(
    rows: Mapping[str, Row], dialects: Mapping[str, float], segmenter: tuple[float, float]
) -> str:
    """The page as Markdown: a row a manner of asking, the dialects, the segmenter."""
    titles = ["", "n", "right (greedy)", "right (sampled)", f"one of {GROUP} right", "mixed groups"]
    titles += ["gIoU (greedy)", "gIoU if right"]
    table = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    spread = [
        ["", "above 0.8", "0.7 to 0.8", "0.5 to 0.7", "below", "thought: 5 %", "50 %", "95 %"],
        ["---", *["---:"] * 7],
    ]
    for name, row in rows.items():
        greedy, once = _RIGHT.get(name, (_ANY, _ANY))
        cells = [_percent(row.right_greedy, greedy), _percent(row.right_sampled)]
        cells += [_percent(row.right_once, once), _percent(row.mixed)]
        table.append(
            [name, str(row.questions), *cells, _percent(row.iou), _percent(row.iou_if_right)]
        )
        spread.append([name, *map(_percent, row.tiers), *(f"{one:.0f}" for one in row.thoughts)])
    read = [["dialect", *dialects], ["---", *["---:"] * len(dialects)]]
    read.append(["parseable (greedy)", *(_percent(one, _PARSEABLE) for one in dialects.values())])
    whole, parts = _percent(segmenter[0], _SEGMENTER), _percent(segmenter[1])
    said = (
        f"The segmenter in the true box with a point: mean IoU {whole}, of parts alone {parts}.\n"
    )
    count = next(iter(rows.values())).questions
    chance = f"A share of {count:,} is known to ±{196 * (0.25 / count) ** 0.5:.1f} points.\n"
    iou = "The samples' IoUs, and their thoughts' tokens:\n"
    blocks = [_HEAD, _BARS, _table(table), chance, iou, _table(spread), _table(read), said]
    return "\n".join(blocks)


def _percent(share: float, bar: tuple[int, int] = _ANY) -> str:
    low, high = bar
    return f"{100 * share:.1f}" + ("" if low <= 100 * share <= high else " ✗")


def _table(rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
