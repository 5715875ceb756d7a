"""A reward that does not move is named once, with what to look at."""

from __future__ import annotations

import pytest

from samr1.config.schema import RewardConfig
from samr1.train.flat import LONG, name_flat

GOOD = {
    "reward_segmentation": 2.0,
    "iou": 0.5,
    "reward_reasoning_format": 1.0,
    "reward_segmentation_format": 1.0,
    "reward_points": 0.5,
    "frac_reward_zero_std": 0.2,
    "share_truncated": 0.0,
    "share_parsed": 1.0,
}
REWARD = RewardConfig(segmentation="tiered", negative_points="none")
POINTS = RewardConfig(segmentation="tiered", negative_points="any")
RANKS = RewardConfig(segmentation="quantile", negative_points="none")


def names_at(rows: list[dict[str, float]], reward: RewardConfig = REWARD) -> dict[int, list[str]]:
    """Step -> the sentences given there."""
    given = {step: name_flat(rows[: step + 1], "<answer>", reward) for step in range(len(rows))}
    return {step: sentences for step, sentences in given.items() if sentences}


def test_a_training_that_earns_something_is_left_alone() -> None:
    assert names_at([GOOD] * (3 * LONG)) == {}
    assert names_at([{**GOOD, "reward_segmentation": 0.0}] * (LONG - 1)) == {}


def test_what_is_not_rewarded_is_left_alone() -> None:
    assert names_at([{**GOOD, "reward_points": 0.0, "iou": 0.0}] * (2 * LONG)) == {}


def test_a_reward_that_rises_slowly_from_its_floor_is_left_alone() -> None:
    rising = [0.001 * step + (0.0156 if step % 7 == 6 else 0.0) for step in range(200)]
    assert names_at([{**GOOD, "reward_segmentation": reward} for reward in rising]) == {}


@pytest.mark.parametrize(
    ("change", "name", "advice"),
    [
        ({"reward_segmentation": 0.0}, "reward_segmentation", "hardly a mask was good enough"),
        ({"reward_segmentation": 0.02}, "reward_segmentation", "hardly a mask was good enough"),
        ({"reward_segmentation": 0.0, "share_parsed": 0.0}, "reward_segmentation", "`dialect`"),
        ({"reward_reasoning_format": -1.0}, "reward_reasoning_format", "the tags"),
        ({"reward_segmentation_format": -0.98}, "reward_segmentation_format", "exact form"),
        (
            {"reward_segmentation_format": -1.0, "share_truncated": 0.9},
            "reward_segmentation_format",
            "90% of the responses are cut",
        ),
        ({"frac_reward_zero_std": 0.99}, "frac_reward_zero_std", "no step teaches anything"),
    ],
)
def test_a_flat_part_is_named_once(change: dict[str, float], name: str, advice: str) -> None:
    rows = [GOOD] * 3 + [{**GOOD, **change}] * (3 * LONG)
    [(step, (sentence, response))] = names_at(rows).items()
    assert 3 + LONG - 2 <= step <= 3 + LONG
    assert sentence.startswith(f"{name} has been ") and advice in sentence
    assert response == "a response of this step: '<answer>'"


def test_a_reward_that_few_responses_earn_now_and_then_is_named_once() -> None:
    flat = [
        {**GOOD, "reward_segmentation": 0.0156 if step % 7 == 6 else 0.0} for step in range(200)
    ]
    [(step, (sentence, _))] = names_at(flat).items()
    assert step < 2 * LONG and sentence.startswith("reward_segmentation has been 0.00")


@pytest.mark.parametrize(
    ("reward", "change", "name"),
    [
        (POINTS, {"reward_points": 0.0}, "reward_points"),
        # Ranks among the training's own IoUs are as high for bad ones.
        (RANKS, {"reward_segmentation": 4.0, "iou": 0.01}, "iou"),
        (RANKS, {"reward_segmentation": 1.9, "iou": 0.01}, "iou"),
    ],
)
def test_what_is_rewarded_says_what_is_looked_at(
    reward: RewardConfig, change: dict[str, float], name: str
) -> None:
    [(step, (sentence, _))] = names_at([{**GOOD, **change}] * (3 * LONG), reward).items()
    assert step == LONG - 1 and sentence.startswith(f"{name} has been ")


def test_a_part_that_went_flat_again_is_named_again() -> None:
    flat = [{**GOOD, "reward_segmentation": 0.0}] * LONG
    assert list(names_at([*flat, GOOD, *flat])) == [LONG - 1, 2 * LONG]


def test_a_long_response_is_cut() -> None:
    rows = [{**GOOD, "reward_segmentation": 0.0}] * LONG
    assert len(name_flat(rows, "a" * 10_000, REWARD)[1]) < 400
