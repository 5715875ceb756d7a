"""A benchmark's questions dealt to several processes, and what they answered put together.

The questions on one image stay together, so that an image is embedded once. The rows are those of
an undivided run, in the same order. Only batches are composed otherwise: that can change the last
digits of a model's numbers, and in bfloat16 with them an answer now and then.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from samr1.core import schemas
from samr1.core.errors import UserError


def split_by_image(samples: pa.Table, count: int) -> list[pa.Table]:
    """Deal the rows of `samples` into `count` parts of nearly equal size, each in its order.

    The images with the most questions are dealt first, each to the part with the fewest questions.
    """
    members: dict[str, list[int]] = {}  # image_id -> its rows
    for i, image_id in enumerate(samples["image_id"].to_pylist()):
        members.setdefault(image_id, []).append(i)
    parts: list[list[int]] = [[] for _ in range(count)]
    for rows in sorted(members.values(), key=len, reverse=True):
        min(parts, key=len).extend(rows)
    return [samples.take(pa.array(sorted(rows), pa.int64())) for rows in parts]


def gather(sample_ids: Sequence[str], parts: Sequence[pa.Table]) -> pa.Table:
    """The predictions of all `parts` in the order of `sample_ids`.

    Raises UserError where a sample is in no part, in two, or in none of `sample_ids`.
    """
    predictions = pa.concat_tables(parts)
    found = predictions["sample_id"].to_pylist()
    place = {sample_id: i for i, sample_id in enumerate(found)}
    for sample_id in sample_ids:
        if sample_id not in place:
            raise UserError(f"sample {sample_id} is in no part; predict the benchmark again.")
    if len(found) != len(sample_ids):
        odd = next(iter(set(found) - set(sample_ids)), None)
        what = f"sample {odd} is not in the benchmark" if odd else "a sample is in two parts"
        raise UserError(f"{what}; predict the benchmark again.")
    order = pa.array([place[sample_id] for sample_id in sample_ids], pa.int64())
    return predictions.take(order).combine_chunks().cast(schemas.PREDICTIONS)
