"""A reward that does not move is named once, with what to look at."""

from __future__ import annotations

import pytest

from samr1.train.flat import LONG, name_flat

GOOD = {
    "reward_segmentation": 2.0,
    "reward_reasoning_format": 1.0,
    "reward_segmentation_format": 1.0,
    "frac_reward_zero_std": 0.2,
    "share_truncated": 0.0,
    "share_parsed": 1.0,
}


def names_at(rows: list[dict[str, float]]) -> dict[int, list[str]]:
    """Step -> the sentences given there."""
    given = {step: name_flat(rows[: step + 1], "<answer>") for step in range(len(rows))}
    return {step: sentences for step, sentences in given.items() if sentences}


def test_a_training_that_earns_something_is_left_alone() -> None:
    assert names_at([GOOD] * (3 * LONG)) == {}
    assert names_at([{**GOOD, "reward_segmentation": 0.0}] * (LONG - 1)) == {}


@pytest.mark.parametrize(
    ("change", "name", "advice"),
    [
        ({"reward_segmentation": 0.0}, "reward_segmentation", "no mask was good enough"),
        ({"reward_segmentation": 0.0, "share_parsed": 0.0}, "reward_segmentation", "`dialect`"),
        ({"reward_reasoning_format": -1.0}, "reward_reasoning_format", "the tags"),
        ({"reward_segmentation_format": -1.0}, "reward_segmentation_format", "exact form"),
        (
            {"reward_segmentation_format": -1.0, "share_truncated": 0.9},
            "reward_segmentation_format",
            "90% of the responses are cut",
        ),
        ({"frac_reward_zero_std": 1.0}, "frac_reward_zero_std", "no step teaches anything"),
    ],
)
def test_a_flat_part_is_named_once(change: dict[str, float], name: str, advice: str) -> None:
    rows = [GOOD] * 3 + [{**GOOD, **change}] * (3 * LONG)
    [(step, (sentence, response))] = names_at(rows).items()
    assert step == 3 + LONG - 1
    assert sentence.startswith(f"{name} has been ") and advice in sentence
    assert response == "a response of this step: '<answer>'"


def test_a_part_that_went_flat_again_is_named_again() -> None:
    flat = [{**GOOD, "reward_segmentation": 0.0}] * LONG
    assert list(names_at([*flat, GOOD, *flat])) == [LONG - 1, 2 * LONG]


def test_a_long_response_is_cut() -> None:
    rows = [{**GOOD, "reward_segmentation": 0.0}] * LONG
    assert len(name_flat(rows, "a" * 10_000)[1]) < 400
