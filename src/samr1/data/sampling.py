"""Draw the training samples from a pool: so many objects, one sentence each, or every sentence."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection

import pyarrow as pa

from samr1.core.errors import UserError


def sample(
    pool: pa.Table, count: int | None, seed: int, left_out_images: Collection[str] = ()
) -> pa.Table:
    """Draw `count` refs of `pool` (rows of `schemas.SAMPLES`, every sentence), one sentence each.

    None draws every sentence of all, each as if it were a ref of its own.

    Refs are ordered by a hash of the seed and their name, and the first `count` are taken, each
    with a sentence that the hash picks. So the draw depends on neither the order of the rows nor
    anybody's random generator, and the result is in random order. No image of `left_out_images`
    (by `image_id`) is used. Raises UserError where none or fewer than `count` refs are left.
    """
    sentences: dict[str, list[tuple[int, int]]] = defaultdict(list)  # ref -> (sentence, row)
    columns = (pool[name].to_pylist() for name in ("sample_id", "sentence_index", "image_id"))
    left_out = frozenset(left_out_images)
    for row, (sample_id, index, image_id) in enumerate(zip(*columns, strict=True)):
        if image_id not in left_out:
            ref = sample_id if count is None else sample_id.removesuffix(f"/{index}")
            sentences[ref].append((index, row))
    asked = 1 if count is None else count
    if len(sentences) < asked:
        raise UserError(
            f"the pool has {len(sentences)} refs to draw from and {asked} are asked for; "
            f"ask for fewer or leave out fewer images."
        )
    drawn = sorted(sentences, key=lambda ref: _hash(seed, "order", ref))[:count]
    rows = []
    for ref in drawn:
        choices = sorted(sentences[ref])
        rows.append(choices[_hash(seed, "sentence", ref) % len(choices)][1])
    return pool.take(pa.array(rows, pa.int64()))


def _hash(seed: int, purpose: str, ref: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}/{ref}".encode()).digest(), "big")
