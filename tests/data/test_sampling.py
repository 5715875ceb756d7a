"""Drawing the training samples."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from data_world import ref, write_refer

from samr1.core.errors import UserError
from samr1.data import refer
from samr1.data.sampling import sample


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """60 refs on 20 images, one to three sentences each."""
    root: Path = tmp_path_factory.mktemp("pool")
    texts = ("ball", "red ball", "ball on the left")
    refs = [
        ref(number, texts[: 1 + number % 3], image_id=number % 20, ann_id=number % 20)
        for number in range(60)
    ]
    write_refer(root, refs)
    return refer.read(root, "refcocog", "umd", "test", sentences="all")


def names(table: pa.Table) -> list[str]:
    return table["sample_id"].to_pylist()


def ref_of(sample_id: str) -> str:
    return sample_id.rsplit("/", 1)[0]


def test_exactly_so_many_refs_with_one_sentence_each(pool: pa.Table) -> None:
    drawn = sample(pool, 40, seed=0)
    assert drawn.schema.equals(pool.schema)
    assert len({ref_of(name) for name in names(drawn)}) == len(drawn) == 40
    assert set(names(drawn)) <= set(names(pool))
    assert len(sample(pool, 60, seed=0)) == 60


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_the_rows(pool: pa.Table) -> None:
    shuffled = pool.take(np.random.default_rng(1).permutation(len(pool)))
    assert sample(pool, 30, seed=0).equals(sample(shuffled, 30, seed=0))
    assert names(sample(pool, 30, seed=0)) != names(sample(pool, 30, seed=1))


def test_refs_and_sentences_are_drawn_evenly(pool: pa.Table) -> None:
    """400 draws of 10: 400/6 of each ref, and a third of each sentence where there are three."""
    draws = [name for seed in range(400) for name in names(sample(pool, 10, seed=seed))]
    counts = Counter(map(ref_of, draws))
    assert len(counts) == 60
    assert 35 < min(counts.values()) < max(counts.values()) < 100  # 67 ± 7.5 expected
    of_three = [name for name in draws if int(ref_of(name).rsplit("/", 1)[1]) % 3 == 2]
    shares = Counter(name[-1] for name in of_three)
    assert all(abs(shares[index] / len(of_three) - 1 / 3) < 0.06 for index in "012")


def test_a_larger_draw_begins_with_the_smaller(pool: pa.Table) -> None:
    assert names(sample(pool, 50, seed=3))[:20] == names(sample(pool, 20, seed=3))


def test_images_that_are_left_out_are_not_drawn(pool: pa.Table) -> None:
    left_out = {str(number) for number in range(5)}
    drawn = sample(pool, 45, seed=0, left_out_images=left_out)
    assert not left_out & set(drawn["image_id"].to_pylist())
    with pytest.raises(UserError, match=r"the pool has 45 refs .* and 46 are asked for"):
        sample(pool, 46, seed=0, left_out_images=left_out)


def test_no_number_draws_every_sentence_of_all_in_an_order_of_the_seed(pool: pa.Table) -> None:
    drawn = names(sample(pool, None, seed=0))
    assert len(pool) == 120 and sorted(drawn) == sorted(names(pool)) != drawn
    assert drawn != names(sample(pool, None, seed=1))
    beside = [ref_of(one) == ref_of(other) for one, other in pairwise(drawn)]
    assert sum(beside) < 10  # a ref's sentences are apart: 1 expected
    left = {str(number) for number in range(5)}
    assert not left & {*sample(pool, None, seed=0, left_out_images=left)["image_id"].to_pylist()}
    with pytest.raises(UserError, match="the pool has 0 refs to draw from and 1 are asked for"):
        sample(pool.slice(0, 0), None, seed=0)
