"""Responses to many questions with a random policy, against one question at a time."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pytest
from predict_world import (
    SIZES,
    plain_response,
    question_table,
    stage,
)
from tiny import tiny_policy

from samr1.data.resizing import ImageStore
from samr1.evaluation import responses as responses_module
from samr1.evaluation.responses import Response, decoding_order, respond, whole_images
from samr1.policy.model import Policy
from samr1.rollout import runners


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
    assert all(batches)
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
    # One slot: the image of two questions is asked about in two passes.
    assert len(list(respond(samples.to_pylist(), store, policy, stage(batch_size=1)))) == 4
    assert len(encoded) == len(SIZES)


def test_decoding_order_keeps_images_together() -> None:
    images, lengths = ["a", "b", "a", "c", "b"], [5, 7, 3, 9, 7]
    assert decoding_order(images, lengths) == [3, 1, 4, 0, 2]


def test_a_slot_takes_up_the_next_question_before_the_others_end(
    store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, slots = replace(tiny_policy(), stop_token_id=69), 4  # which it says early or late
    rows = question_table([("abc"[i % 3], "x" * i) for i in range(1, 25)]).to_pylist()
    steps = []
    step = runners.decode_step
    monkeypatch.setattr(runners, "decode_step", lambda *parts: steps.append(1) or step(*parts))
    asked = stage(slots)
    longest = asked.evaluation.model_copy(update={"max_response_tokens": 30})
    asked = asked.model_copy(update={"evaluation": longest})
    found = all_of(list(respond(rows, store, policy, asked)))
    order = decoding_order([row["image_id"] for row in rows], [len(row["query"]) for row in rows])
    lengths = [found[i].tokens for i in order]
    needed = sum(length - 1 for length in lengths) / slots
    in_batches = sum(max(lengths[i : i + slots]) - 1 for i in range(0, len(lengths), slots))
    assert needed <= len(steps) < 0.8 * in_batches, (needed, len(steps), in_batches)


def test_an_image_waits_for_its_last_response_however_they_come() -> None:
    said = {i: Response(str(i), 1) for i in range(6)}
    images = ["a", "b", "a", "b", "b", "c"]
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 0, 5, 3, 2, 4]):
        for split in ([6], [3, 3], [1] * 6, [2, 1, 2, 1]):
            rest = iter(order)
            batches = [{i: said[i] for i in islice(rest, size)} for size in split]
            whole = list(whole_images(batches, images))
            assert all(whole)
            assert all_of(whole) == list(said.values())
            seen = [{images[i] for i in batch} for batch in whole]
            assert sum(map(len, seen)) == 3
            if split == [1] * 6:
                last = {
                    name: max(order.index(i) for i in said if images[i] == name) for name in "abc"
                }
                assert [name for (name,) in seen] == sorted("abc", key=last.__getitem__)
