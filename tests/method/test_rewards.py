"""The rewards: bounds, strictness, and texts that must cost a penalty and never an exception."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest

from samr1.config.names import DIALECTS, DialectName, MaskReward
from samr1.config.schema import RewardConfig
from samr1.method.rewards import (
    IouWindow,
    fixed_iou_reward,
    negative_points_reward,
    reasoning_format_reward,
    score_response,
    segmentation_format_reward,
    tiered_iou_reward,
)
from samr1.method.rewards.segmentation import mask_reward
from samr1.policy.answer import parse_answer
from samr1.policy.dialects import get_dialect

GOOD = {"bbox_2d": [10, 20, 30, 40], "point_2d": [20, 30], "label": "cup"}


def reward_of(
    segmentation: Any = "tiered", threshold: float | None = None, negative_points: Any = "none"
) -> RewardConfig:
    return RewardConfig(
        segmentation=segmentation, threshold=threshold, negative_points=negative_points
    )


def respond(answer: object) -> str:
    written = answer if isinstance(answer, str) else json.dumps(answer)
    return f"<think> it is on the left </think><answer>{written}</answer>"


def points_answer(
    *points: tuple[float, float, int], box: tuple[int, ...] = (10, 20, 30, 40)
) -> str:
    written = [{"point_2d": [x, y], "value": value} for x, y, value in points]
    return respond({"bbox_2d": box, "points": written, "label": "cup"})


@pytest.mark.parametrize(
    ("iou", "reward"),
    [
        (0.0, 0),
        (0.5, 0),
        (math.nextafter(0.5, 1), 2),
        (0.7, 2),
        (7 / 10, 2),
        (math.nextafter(0.7, 1), 3),
        (0.8, 3),
        (4 / 5, 3),
        (math.nextafter(0.8, 1), 4),
        (1.0, 4),
        (math.nan, 0),
    ],
)
def test_tiers_are_exact_at_their_bounds(iou: float, reward: float) -> None:
    assert tiered_iou_reward(iou) == reward


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
def test_fixed_threshold_is_exclusive(threshold: float) -> None:
    assert fixed_iou_reward(threshold, threshold) == 0
    assert fixed_iou_reward(math.nextafter(threshold, 1), threshold) == 4


def test_every_name_of_a_mask_reward_has_its_reward() -> None:
    window = IouWindow((0.0, 0.5, 0.75, 0.9))
    found = {
        name: mask_reward(0.75, reward_of(name, 0.8 if name == "fixed" else None), window)
        for name in get_args(MaskReward)
    }
    assert found == {"tiered": 3, "fixed": 0, "iou": 3.0, "quantile": 3.2}
    with pytest.raises(ValueError, match="last IoUs"):
        mask_reward(0.75, reward_of("quantile"))


def test_before_the_first_step_every_iou_has_the_highest_rank() -> None:
    assert [IouWindow().rank(iou) for iou in (0.0, 0.1, 1.0)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</think><answer>b</answer>",
        "<think>a\nb</think>\n\t <answer>\n{}\n</answer>",
        "<think>x < y > z</think><answer></answer>",
    ],
)
def test_reasoning_format_kept(text: str) -> None:
    assert reasoning_format_reward(text) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no tags",
        "<think></think><answer>b</answer>",
        "<think> \n </think><answer>b</answer>",
        "<think>a</think>",
        "<answer>b</answer>",
        "<answer>b</answer><think>a</think>",
        "<think>a<answer>b</answer></think>",
        "<think>a</think>so<answer>b</answer>",
        " <think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer>\n",
        "<think>a</think><answer>b</answer> and more",
        "<think>a</think><think>a</think><answer>b</answer>",
        "<think><think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer><answer>b</answer>",
        "<think>a</think><answer>b</answer></answer>",
        "<THINK>a</THINK><ANSWER>b</ANSWER>",
        "</think>a<think><answer>b</answer>",
    ],
)
def test_reasoning_format_broken(text: str) -> None:
    assert reasoning_format_reward(text) == -1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_well_formed_answers_are_rewarded_in_their_own_dialect(dialect: DialectName) -> None:
    form = get_dialect(dialect)
    label = "cup" if form.thinks else "an <answer> tag"
    points = [(3.0, 4.0, 1), (84.0, 0.0, 0)]
    text = form.respond("left", (0, 0, 84, 84), points, label)
    assert segmentation_format_reward(text, dialect, (84, 84)) == 1
    assert reasoning_format_reward(text) == (1 if form.thinks else -1)
    for other in DIALECTS:  # two that are written alike differ in their frames
        if get_dialect(other).write is not form.write:
            assert segmentation_format_reward(text, other, (84, 84)) == -1


def keeps_the_format(change: dict[str, object]) -> bool:
    return segmentation_format_reward(respond({**GOOD, **change}), "sam_r1") == 1


def test_segmentation_format_kept() -> None:
    assert keeps_the_format({"bbox_2d": [0, 0, 840, 840]})
    assert keeps_the_format({"bbox_2d": [0.5, 1.25, 2.5, 1e2]})
    assert keeps_the_format({"point_2d": [0, 840]})
    assert keeps_the_format({"label": "ein Stück Käse"})


UNFIT: dict[str, tuple[object, ...]] = {
    "bbox_2d": (
        *(None, "10, 20, 30, 40", ["10", "20", "30", "40"], [True, 20, 30, 40]),
        *([10, 20, 30], [10, 20, 30, 40, 50], [[10, 20], [30, 40]]),
        *([math.nan, 20, 30, 40], [10, 20, math.inf, 40], [10, 20, 30, 10**400]),
        *([10, 20, 10, 40], [10, 20, 30, 20], [30, 40, 10, 20], [-1, 20, 30, 40]),
        *([10, 20, 841, 40], [10, 20, 30, 840.5], {"x1": 10, "y1": 20, "x2": 30, "y2": 40}),
    ),
    "point_2d": ([20, 841], [-1, 20], [20], ["20", "30"], [[20, 30]], [math.nan, 3]),
    "label": ("", "  ", 3, None),
    "extra": (1,),
}


@pytest.mark.parametrize(("key", "value"), [(key, v) for key in UNFIT for v in UNFIT[key]])
def test_unfit_boxes_points_labels_and_keys_fail_the_format(key: str, value: object) -> None:
    assert not keeps_the_format({key: value})


@pytest.mark.parametrize("key", GOOD)
def test_every_key_is_needed(key: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != key}
    assert segmentation_format_reward(respond(rest), "sam_r1") == -1


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        respond(str(GOOD)),  # single quotes
        respond([GOOD]),
        respond(f"```json\n{json.dumps(GOOD)}\n```"),
        respond(f"here: {json.dumps(GOOD)}"),
        respond(json.dumps(GOOD)[:-1]),
        respond('{"label": "a", ' + json.dumps(GOOD)[1:]),  # a key twice
        respond(GOOD) + respond(GOOD),
        "</answer>" + respond(GOOD),
        respond(""),
        respond("null"),
    ],
)
def test_unfit_answers_fail_the_format(text: str) -> None:
    assert segmentation_format_reward(text, "sam_r1") == -1


@pytest.mark.parametrize("value", [2, -1, 0.5, True, "1", None, [1], math.nan])
def test_point_values_are_0_or_1(value: Any) -> None:
    assert segmentation_format_reward(points_answer((20, 30, value)), "sam_r1_points") == -1


@pytest.mark.parametrize(("count", "reward"), [(0, -1), (1, 1), (16, 1), (17, -1)])
def test_the_number_of_points_is_bounded(count: int, reward: float) -> None:
    text = points_answer(*[(20, 30, 1)] * count)
    assert segmentation_format_reward(text, "sam_r1_points") == reward


@pytest.mark.parametrize(
    ("points", "any_where", "inside"),
    [
        ([(20, 30, 1), (25, 35, 0)], 1, 1),
        ([(20, 30, 1), (100, 35, 0)], 1, 0),
        ([(200, 30, 1), (25, 35, 0)], 1, 0),
        ([(20, 30, 1), (25, 35, 0), (5, 5, 1)], 1, 0),
        ([(20, 30, 1), (30, 35, 0)], 1, 0),  # on the edge
        ([(20, 30, 1), (25, 35, 1)], 0, 0),
        ([(20, 30, 0), (25, 35, 0)], 0, 0),
        ([], 0, 0),
    ],
)
def test_negative_points(
    points: list[tuple[float, float, int]], any_where: float, inside: float
) -> None:
    answer = parse_answer(points_answer(*points), "sam_r1_points")
    assert negative_points_reward(answer, "any") == any_where
    assert negative_points_reward(answer, "inside") == inside


@pytest.mark.parametrize(
    "text",
    [
        points_answer((20, 30, 1), (5000, 30, 0), box=(10, 20, 900, 900)),  # beyond the image
        points_answer((20, 30, 1), (25, 35, 0), box=()),  # no box
    ],
)
def test_inside_needs_a_box_and_a_place_in_the_image(text: str) -> None:
    answer = parse_answer(text, "sam_r1_points")
    assert negative_points_reward(answer, "any") == 1
    assert negative_points_reward(answer, "inside") == 0


def test_parts_add_up_and_the_mask_counts_whatever_the_form() -> None:
    def score(text: str, iou: float, dialect: DialectName = "sam_r1", **named: Any) -> Any:
        parts = score_response(text, parse_answer(text, dialect), iou, reward_of(**named))
        formats = (parts.reasoning_format, parts.segmentation_format)
        assert parts.total == parts.segmentation + sum(formats) + parts.points
        return (parts.segmentation, *formats, parts.points)

    assert score(respond(GOOD), 0.75) == (3, 1, 1, 0)
    assert score(json.dumps(GOOD), 0.9) == (4, -1, -1, 0)
    assert score(respond("nothing"), 0.0) == (0, 1, -1, 0)
    assert score(respond(GOOD), 0.75, segmentation="fixed", threshold=0.7) == (4, 1, 1, 0)
    assert score(respond(GOOD), 0.75, segmentation="fixed", threshold=0.8) == (0, 1, 1, 0)
    both = points_answer((20, 30, 1), (100, 35, 0))
    assert score(both, 0.6, "sam_r1_points", negative_points="any") == (2, 1, 1, 1)
    assert score(both, 0.6, "sam_r1_points", negative_points="inside") == (2, 1, 1, 0)
    assert score(both, 0.6, "sam_r1_points") == (2, 1, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        respond("[" * 8_000 + "]" * 8_000),
        respond('{"a":' * 100_000),
        respond("9" * 100_000),
        respond(json.dumps({**GOOD, "label": "x" * 10_000_000})),
        "<think>" * 1_500_000,
        "<think>" + " " * 10_000_000,
        "\ud800" * 1_000_000,
        respond("\x00\ud800"),
    ],
    ids=lambda text: f"{len(text)} of {text[:30].encode('ascii', 'replace')!r}",
)
def test_monstrous_texts_get_the_penalty(text: str) -> None:
    assert all(segmentation_format_reward(text, dialect) == -1 for dialect in DIALECTS)
    assert reasoning_format_reward(text) == (1 if text.startswith("<think> it") else -1)
