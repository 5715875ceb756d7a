"""A data set's samples → the numbers of its page, and what a person should look at."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from samr1.data.masks import decode_mask

Row = dict[str, Any]
Table = list[list[str]]  # its first row is the header

_BINS = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)  # of a target's share of its image
_MOST_QUESTIONS = 10  # shown
_FIRST = 3  # examples, of each kind
_FEW_IMAGES = 30
_BACKGROUND = ("background", "Background", "_background_", "__background__")  # names of no object
_WHOLE, _SPECK = 0.9, 0.0005  # shares of an image that a target seldom has

# What differs between two sentences of one kind: quoted words, paths, and whatever has a digit.
_PARTICULAR = re.compile(r"'[^']*'|\S*[\d/]\S*|\S+\.\w+\b")


def target_shares(rows: Sequence[Row]) -> list[float]:
    """The share of its image that each sample's mask, or where it has none its box, covers."""
    shares = []
    for row in rows:
        pixels = row["width"] * row["height"]
        x1, y1, x2, y2 = row["box"]
        area = decode_mask(row["mask"]).sum() if row["mask"] else (x2 - x1) * (y2 - y1)
        shares.append(float(area) / pixels)
    return shares


def count_parts(rows: Sequence[Row]) -> Table:
    """Questions and images of each part and of both."""
    table = [["part", "questions", "images", "questions an image", "at most"]]
    for part in ("train", "test", "both"):
        chosen = [row for row in rows if part in (row["split"], "both")]
        asked = Counter(row["image_path"] for row in chosen)
        mean = f"{len(chosen) / len(asked):.1f}" if asked else "–"
        most = str(max(asked.values(), default=0))
        table.append([part, f"{len(chosen):,}", f"{len(asked):,}", mean, most])
    return table


def measure(rows: Sequence[Row], shares: Sequence[float]) -> Table:
    """The least, the middle and the greatest of each size."""
    images = {row["image_path"]: row for row in rows}.values()
    table = [["size", "least", "median", "greatest"]]
    for name, values, form in (
        ("image, pixels wide", [row["width"] for row in images], "{:,.0f}"),
        ("image, pixels high", [row["height"] for row in images], "{:,.0f}"),
        ("target, % of its image", [100 * share for share in shares], "{:.2f}"),
        ("question, words", [len(row["query"].split()) for row in rows], "{:,.0f}"),
    ):
        found = np.min(values), np.median(values), np.max(values)
        table.append([name, *(form.format(value) for value in found)])
    return table


def count_shares(shares: Sequence[float]) -> Table:
    """How many targets cover how much of their image."""
    counts, _ = np.histogram(shares, _BINS)
    rows = [
        [f"{100 * low:g} to {100 * high:g} %", f"{count:,}", f"{100 * count / len(shares):.0f} %"]
        for (low, high), count in zip(pairwise(_BINS), counts, strict=True)
    ]
    return [["covers", "targets", "of all"], *rows]


def count_questions(rows: Sequence[Row]) -> Table:
    """The questions asked most often."""
    asked = Counter(row["query"] for row in rows).most_common()
    shown = [[query, f"{count:,}"] for query, count in asked[:_MOST_QUESTIONS]]
    others = asked[_MOST_QUESTIONS:]
    if others:
        shown.append([f"and {len(others):,} others", f"{sum(count for _, count in others):,}"])
    return [["question", "times"], *shown]


def group_refused(refused: Sequence[str]) -> list[tuple[int, list[str]]]:
    """The bad samples by what is wrong, the commonest first: how many, and the first of them."""
    kinds: dict[str, list[str]] = {}
    for told in refused:
        kinds.setdefault(_PARTICULAR.sub("…", told), []).append(told)
    groups = [(len(told), told[:_FIRST]) for told in kinds.values()]
    return sorted(groups, key=lambda group: -group[0])


def find_remarks(
    rows: Sequence[Row],
    shares: Sequence[float],
    same_pixels: Sequence[Sequence[str]],
    template: str,
) -> list[str]:
    """What is no error and may be a mistake, a sentence each; `template` asks of a category."""
    remarks = []
    for part in ("train", "test"):
        images = {row["image_path"] for row in rows if row["split"] == part}
        if not images:
            remarks.append(f"The part {part} is empty.")
        elif part == "test":
            remarks += warn_of_few(len(images))
    ids = [row["sample_id"] for row in rows]
    if whole := [one for one, share in zip(ids, shares, strict=True) if share > _WHOLE]:
        remarks.append(
            f"Targets of more than {_WHOLE:.0%} of their image: {_count(whole)}. A mask is black "
            "off the object, not on it."
        )
    if specks := [one for one, share in zip(ids, shares, strict=True) if share < _SPECK]:
        remarks.append(f"Targets of less than {_SPECK:.2%} of their image: {_count(specks)}.")
    nothing = {template.replace("{category}", name) for name in _BACKGROUND}
    if ground := [row["sample_id"] for row in rows if row["query"] in nothing]:
        remarks.append(
            f"Questions about the background: {_count(ground)}. It is asked of as any category is; "
            "leave its name out."
        )
    asked = Counter((row["image_path"], row["query"]) for row in rows)
    if twice := [f"{image}: {query}" for (image, query), count in asked.items() if count > 1]:
        remarks.append(
            f"Questions asked more than once of one image: {_count(twice)}. Only the union of "
            "their targets would answer them."
        )
    if same_pixels:
        remarks.append(
            f"Pictures that lie there as several files: {len(same_pixels):,} (below). All files of "
            "one picture are in one part."
        )
    return remarks


def warn_of_few(images: int) -> list[str]:
    """What so few `images` of a test part cannot tell; nothing where there are enough."""
    if images >= _FEW_IMAGES:
        return []
    if images == 1:
        return ["The part test has 1 image; it gives no interval, and a difference means nothing."]
    return [
        f"The part test has {images} images; intervals will be wide, and a difference of a few "
        "percent means nothing."
    ]


def _count(names: Sequence[str]) -> str:
    """How many there are, and the first of them."""
    more = ", …" if len(names) > _FIRST else ""
    return f"{len(names):,} ({', '.join(names[:_FIRST])}{more})"


def list_left_out(left_out: Mapping[str, int]) -> Table:
    """What is no sample and not wrong."""
    return [["left out", "times"], *([why, f"{count:,}"] for why, count in left_out.items())]
