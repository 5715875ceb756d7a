"""How much each split of the data sets holds, as published, against what was found.

The RefCOCO family, in the splits of lichengunc/refer: refs as in the catalogue of
tensorflow_datasets (`ref_coco`); sentences as they are counted throughout the literature, which add
up to the sets' own totals (142,210, 141,564 and 95,010). Images of ReasonSeg: LISA
(arXiv 2308.00692); LISA-Grounding is made of the same images.
"""

from __future__ import annotations

from pathlib import Path

from samr1.core.errors import UserError

# (data set, who made the split, split) -> refs or images, and sentences where they are published.
PUBLISHED: dict[tuple[str, str | None, str], tuple[int, int | None]] = {
    ("refcoco", "unc", "train"): (42_404, 120_624),
    ("refcoco", "unc", "val"): (3_811, 10_834),
    ("refcoco", "unc", "testA"): (1_975, 5_657),
    ("refcoco", "unc", "testB"): (1_810, 5_095),
    ("refcoco", "google", "train"): (40_000, None),
    ("refcoco", "google", "val"): (5_000, None),
    ("refcoco", "google", "test"): (5_000, None),
    ("refcoco+", "unc", "train"): (42_278, 120_191),
    ("refcoco+", "unc", "val"): (3_805, 10_758),
    ("refcoco+", "unc", "testA"): (1_975, 5_726),
    ("refcoco+", "unc", "testB"): (1_798, 4_889),
    ("refcocog", "umd", "train"): (42_226, 80_512),
    ("refcocog", "umd", "val"): (2_573, 4_896),
    ("refcocog", "umd", "test"): (5_023, 9_602),
    ("refcocog", "google", "train"): (44_822, None),
    ("refcocog", "google", "val"): (5_000, None),
    ("reasonseg", None, "train"): (239, None),
    ("reasonseg", None, "val"): (200, None),
    ("reasonseg", None, "test"): (779, None),
    ("lisa_grounding", None, "train"): (239, None),
    ("lisa_grounding", None, "val"): (200, None),
    ("lisa_grounding", None, "test"): (779, None),
}


def check_published(
    source: Path,
    dataset: str,
    split_by: str | None,
    split: str,
    refs: int,
    sentences: int | None = None,
    skipped: int = 0,
) -> None:
    """Raise UserError where what `source` holds is not as much as is published, if it is.

    `refs` (images, for ReasonSeg) and `sentences` are what the split was found to hold, whether it
    could be used or not; `sentences` None is not compared. `skipped` entries were too bad to tell
    what they are, which the sentence then says.
    """
    published_refs, published_sentences = PUBLISHED.get((dataset, split_by, split), (refs, None))
    noun = "images" if split_by is None else "refs"
    compared = [(refs, published_refs, noun), (sentences, published_sentences, "sentences")]
    parts = [
        f"{found:,} {what} where {published:,} are published"
        for found, published, what in compared
        if found is not None and published is not None and found != published
    ]
    if parts:
        name = f"{dataset} ({split_by}) {split}" if split_by else f"{dataset} {split}"
        bad = f", and {skipped} bad entries were skipped" if skipped else ""
        raise UserError(
            f"{source}: {name} has {' and '.join(parts)}{bad}; fetch the set again, or set "
            "check_counts: false (--no-check-counts) for a subset."
        )
