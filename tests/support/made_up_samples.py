"""Rows of samples on pictures of the tests' own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from samr1.core import schemas
from samr1.data.masks import encode_mask


def sample_row(image: str, size: tuple[int, int], query: str, **columns: Any) -> dict[str, Any]:
    """A question on the file `image` of `size` (width, height), whose target is all of it."""
    width, height = size
    row = dict.fromkeys(schemas.SAMPLES.names)
    row |= {"dataset": "d", "split": "val", "image_path": image, "image_id": image.split(".")[0]}
    row |= {"width": width, "height": height, "query": query, "sentence_index": 0}
    row |= {"box": [0.0, 0.0, 1.0, 1.0], "mask": encode_mask(np.ones((height, width), bool))}
    return row | columns


def sample_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """The samples `s0`, `s1`, …"""
    named = [row | {"sample_id": f"s{number}"} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(named, schemas.SAMPLES)
