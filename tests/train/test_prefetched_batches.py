"""Training with the next batch made in the background, against training without."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny import tiny_policy
from training_world import make_stage, make_world, samples_of

from samr1.core.errors import UserError
from samr1.data.masks import encode_mask
from samr1.data.resizing import ImageStore
from samr1.policy.model import encode_question
from samr1.train import loop
from samr1.train.batches import draw_batches, prepare_batch, read_samples
from samr1.train.loop import Trained, train_policy


def train(world: Path, images: ImageStore | None = None, **settings: Any) -> Trained:
    images = images or ImageStore(world / "images.parquet")
    return train_policy(make_stage(world, **settings), samples_of(world), images, world, None)


def in_own_thread(items: Iterable[Any]) -> Iterator[Any]:
    """The twin of `prefetch`."""
    return (item for item in items)


class Watched(ImageStore):
    """An image store that notes the threads it is read by."""

    readers: set[str]

    def get(self, image_id: str) -> Any:
        self.readers.add(threading.current_thread().name)
        return super().get(image_id)


def test_training_is_the_same_with_and_without(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = Watched(world / "images.parquet")
    images.readers = set()
    beside = train(world, images)
    assert images.readers == {"prefetch_0"}
    with monkeypatch.context() as patch:
        patch.setattr(loop, "prefetch", in_own_thread)
        plain = train(world)
    assert beside.metrics.equals(plain.metrics)
    weights = plain.policy.model.state_dict()
    for name, weight in beside.policy.model.state_dict().items():
        assert torch.equal(weight, weights[name]), name


def test_the_wait_for_the_batch_is_timed_within_the_step(world: Path) -> None:
    for row in train(world).timings.to_pylist():
        phases = ("encode", "rollout", "reward", "reference", "update")
        assert 0 <= row["encode"] < row["total"]
        assert sum(row[phase] for phase in phases) <= row["total"]


def test_a_broken_image_stops_training_at_its_own_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_world(tmp_path)
    stage = make_stage(folder)
    order = list(draw_batches(5, 2, 3, stage.seed))
    paths = [{f"{index % 3}.png" for index in batch} for batch in order]
    step = 1
    broken = min(paths[step] - paths[0])
    (folder / broken).write_bytes((folder / broken).read_bytes()[:200])
    done = []
    step_metrics = loop.step_metrics
    monkeypatch.setattr(
        loop, "step_metrics", lambda *row: done.append(row[0]) or step_metrics(*row)
    )
    with pytest.raises(UserError, match=f"{broken}: the image is broken"):
        train(folder)
    assert done == list(range(step))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_a_batch_holds_what_its_samples_say(world: Path) -> None:
    policy, stage = tiny_policy(), make_stage(world)
    rows = read_samples(samples_of(world))
    images = ImageStore(world / "images.parquet")
    batch = prepare_batch(policy, rows, 1, 2, images, world, stage)
    assert batch.samples == rows[1::2] and not batch.is_padding and batch.in_step == 5
    assert set(batch.originals) == {"1", "0"}
    for sample, question, truth in zip(batch.samples, batch.questions, batch.truths, strict=True):
        assert batch.originals[sample.image_id].shape == (sample.height, sample.width, 3)
        assert truth.shape == (sample.height, sample.width) and truth.sum() == 30 * 40
        alone = encode_question(policy, images.get(sample.image_id), sample.query, stage.dialect)
        assert torch.equal(question.input_ids, alone.input_ids)
        assert torch.equal(question.pixel_values, alone.pixel_values)
    idle = prepare_batch(policy, rows[:1], 1, 2, images, world, stage)
    assert idle.samples == rows[:1] and idle.is_padding and idle.in_step == 1


def test_an_image_or_a_mask_of_another_size_is_refused(world: Path) -> None:
    def prepare(**change: Any) -> None:
        row = samples_of(world).to_pylist()[0] | change
        table = pa.Table.from_pylist([row], schema=samples_of(world).schema)
        images = ImageStore(world / "images.parquet")
        stage = make_stage(world)
        prepare_batch(tiny_policy(), read_samples(table), 0, 1, images, world, stage)

    with pytest.raises(UserError, match=r"0\.png: the image is 90×70 pixels .* s0 says 91×70"):
        prepare(width=91)
    with pytest.raises(UserError, match="training sample s0: its mask has 80×70 pixels"):
        prepare(mask=encode_mask(np.ones((70, 80))))
    with pytest.raises(UserError, match="training sample s0: a mask of size"):
        prepare(mask={"size": [70, 90], "counts": b"12"})
