"""Responses to many questions with a random policy, against one question at a time."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from predict_world import (
    QUESTIONS,
    SIZES,
    plain_response,
    question_table,
    save_pictures,
    stage,
    store_pictures,
)
from tiny import tiny_policy

from samr1.data.resizing import ImageStore
from samr1.evaluation import responses as responses_module
from samr1.evaluation.responses import Response, decoding_order, respond, whole_images
from samr1.policy.model import Policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    return tiny_policy()


@pytest.fixture(scope="module")
def samples() -> pa.Table:
    return question_table(QUESTIONS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def store(samples: pa.Table, root: Path) -> ImageStore:
    return store_pictures(samples, root)


def all_of(batches: list[dict[int, Response]]) -> list[Response]:
    """The responses of all batches in the order of their questions, each of which is there once."""
    found = {i: response for batch in batches for i, response in batch.items()}
    assert len(found) == sum(map(len, batches))
    return [found[i] for i in range(len(found))]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 9])
def test_responses_equal_one_question_at_a_time(
    policy: Policy, store: ImageStore, samples: pa.Table, batch_size: int
) -> None:
    rows = samples.to_pylist()
    batches = list(respond(rows, store, policy, stage(batch_size)))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    found = all_of(batches)
    assert found == [plain_response(policy, store, row) for row in rows]
    assert len({response.text for response in found}) > 1


def test_each_image_is_encoded_once(
    policy: Policy, store: ImageStore, samples: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode_images = responses_module.encode_images

    def counting(model: Any, questions: Any) -> Any:
        encoded.extend(questions)
        return encode_images(model, questions)

    monkeypatch.setattr(responses_module, "encode_images", counting)
    # Batches of one: the image of two questions spans two batches.
    assert len(list(respond(samples.to_pylist(), store, policy, stage(batch_size=1)))) == 4
    assert len(encoded) == len(SIZES)


def test_decoding_order_keeps_images_together() -> None:
    images, lengths = ["a", "b", "a", "c", "b"], [5, 7, 3, 9, 7]
    assert decoding_order(images, lengths) == [3, 1, 4, 0, 2]


def test_an_image_in_two_batches_waits_for_its_last_question() -> None:
    said = {i: Response(str(i), 1) for i in range(6)}
    images = ["a", "a", "b", "b", "b", "c"]
    for split in ([6], [3, 3], [1] * 6, [2, 1, 2, 1]):
        rest = iter(said)
        batches = [{i: said[i] for i in islice(rest, size)} for size in split]
        whole = list(whole_images(batches, images))
        assert all_of(whole) == list(said.values())
        seen = [{images[i] for i in batch} for batch in whole]
        assert sum(map(len, seen)) == 3
        assert seen[-1] == {"c"}
