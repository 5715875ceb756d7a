"""The measuring of a base: what it counts, and its page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samr1.policy.model import load_policy
from samr1.policy.prompt_settings import MICRO, resolve
from samr1.pretrain.check import (
    MANNERS,
    Row,
    draw_questions,
    draw_scenes,
    measure,
    segmenter_iou,
)
from samr1.pretrain.check_page import check_page
from samr1.segmenter import Segmenter

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.load(resolve(MICRO, "segmenter"))


@pytest.fixture(scope="module")
def row(segmenter: Segmenter) -> Row:
    policy = load_policy(ROOT / "src/samr1/micro/weights/policy")
    return measure(policy, segmenter, "ReasonSeg-like, parts", 4)


def test_shares_of_a_few_questions_fit_together(row: Row) -> None:
    assert row.questions == 4
    assert 0 <= row.right_sampled <= row.right_once <= 1
    assert row.mixed <= row.right_once
    assert sum(row.tiers) == pytest.approx(1)
    assert 8 < row.thoughts[0] < row.thoughts[2] < 80


def test_each_manner_asks_its_own_questions() -> None:
    for name, ask in MANNERS.items():
        asked = draw_questions(ask, name, 6)
        assert len({one.question.text for one in asked}) > 2
        for one in asked:
            target = one.scene.things[one.question.target]
            assert (target.whole is not None) or "parts" not in name
    assert draw_questions(ask, name, 6) == asked


def test_the_page_says_what_was_measured(row: Row, segmenter: Segmenter) -> None:
    whole, parts = segmenter_iou(segmenter, draw_scenes(12))
    page = check_page({"parts": row}, {"qwen": 0.975}, (whole, parts))
    assert f"| parts | 4 | {100 * row.right_greedy:.1f} |" in page
    assert "| 97.5 |" in page
    assert "✗" not in page.partition("| parts |")[2].partition("\n")[0]
    assert f"mean IoU {100 * whole:.1f}" in page and f"of parts alone {100 * parts:.1f}" in page


def test_what_misses_its_bar_is_marked(row: Row) -> None:
    asked = replace(row, right_greedy=0.604, right_once=0.87)
    page = check_page({"ReasonSeg-like, all": asked}, {"qwen": 0.94}, (0.85, 0.7))
    (line,) = [line for line in page.splitlines() if line.startswith("| ReasonSeg-like, all | 4 |")]
    assert "| 60.4 ✗ |" in line and "| 87.0 ✗ |" in line
    assert "| 94.0 ✗ |" in page and "mean IoU 85.0, of parts alone 70.0" in page
