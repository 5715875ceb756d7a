"""Below Table 2: how many of a benchmark's images the drawn training sample has already shown.

RefCOCOg's training images and the testA images of RefCOCO and RefCOCO+ come from one collection of
COCO and overlap; a figure on testA is not out-of-distribution in its images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from samr1.data.samples import load_samples
from samr1.report.tables.layout import Addition, Record
from samr1.report.tables.markdown import aligned_table, percent


def training_overlap(
    training_samples: Path, benchmark_samples: Sequence[Path], labels: Mapping[str, str]
) -> Addition:
    """The overlap in images of the training sample with each benchmark, in the order of `labels`.

    A benchmark is named by its file, `{benchmark}.parquet`; images are one when `image_id` is the
    same. Raises UserError where a file is missing or is no samples table.
    """
    training = load_samples(training_samples)["image_id"].to_pandas()
    rows: list[list[str]] = []
    records: list[Record] = []
    files = {path.stem: path for path in benchmark_samples}
    for name in (name for name in labels if name in files):
        images = set(load_samples(files[name])["image_id"].to_pylist())
        asked = training.isin(images)
        shared = training[asked].nunique()
        share = shared / len(images)
        counts = [str(len(images)), str(shared), percent(share), str(asked.sum())]
        rows.append([labels[name], *counts])
        records.append(
            {
                "row": "Training sample",
                "benchmark": name,
                "metric": "image_overlap",
                "measured": share,
                "n": len(images),
            }
        )
    text = (
        f"Overlap of the drawn training sample ({len(training)} questions on {training.nunique()} "
        "images) with each benchmark, in images; the last column counts the training questions on "
        "them:"
    )
    header = ["Benchmark", "images", "also in training", "share %", "training questions"]
    return Addition(blocks=(text, aligned_table(header, rows)), records=tuple(records))
