"""Below Table 2: how many of a benchmark's images the drawn training sample has already shown.

RefCOCOg's training images and the testA images of RefCOCO and RefCOCO+ come from one collection of
COCO and overlap; a figure on testA is not out-of-distribution in its images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from samr1.data.samples import load_samples
from samr1.report.tables.layout import BENCHMARK_LABELS, Record
from samr1.report.tables.markdown import aligned_table, percent
from samr1.report.tables.page import Addition


def training_overlap(training_samples: Path, benchmark_samples: Sequence[Path]) -> Addition:
    """The overlap in images of the training sample with each benchmark.

    A benchmark is named by its file, `{benchmark}.parquet`; images are one when `image_id` is the
    same. Raises UserError where a file is missing or is no samples table.
    """
    training = load_samples(training_samples)["image_id"]
    seen = set(training.to_pylist())
    rows: list[list[str]] = []
    records: list[Record] = []
    for path in sorted(set(benchmark_samples), key=_benchmark_order):
        images = set(load_samples(path)["image_id"].to_pylist())
        shared = seen & images
        share = len(shared) / len(images) if images else None
        questions = pc.sum(pc.is_in(training, value_set=_strings(shared))).as_py() or 0
        rows.append(
            [
                BENCHMARK_LABELS.get(path.stem, path.stem),
                str(len(images)),
                str(len(shared)),
                percent(share),
                str(questions),
            ]
        )
        records.append(
            {
                "row": "Training sample",
                "benchmark": path.stem,
                "metric": "image_overlap",
                "measured": share,
                "n": len(images),
            }
        )
    text = (
        f"Overlap of the drawn training sample ({len(training)} questions on {len(seen)} images) "
        "with each benchmark, in images; the last column counts the training questions on them:"
    )
    header = ["Benchmark", "images", "also in training", "share %", "training questions"]
    return Addition(blocks=(f"{text}\n", aligned_table(header, rows)), records=tuple(records))


def _benchmark_order(path: Path) -> tuple[int, str]:
    names = list(BENCHMARK_LABELS)
    return (names.index(path.stem) if path.stem in names else len(names), path.stem)


def _strings(values: set[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
