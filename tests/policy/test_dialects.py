"""The dialects of public checkpoints: asked and read as their own code does, and in its frame."""

from __future__ import annotations

import pytest

from samr1.config.names import DIALECTS
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.prompt import (
    BOX_ALONE,
    FORMS,
    Dialect,
    answer_frame,
    build_prompt,
    format_answer,
)

THOUGHT = "<think> it is on the left </think>"


def tagged(answer: str) -> str:
    return f"{THOUGHT}<answer>{answer}</answer>"


def test_questions_are_put_as_the_public_code_puts_them() -> None:
    asked = {dialect: build_prompt(dialect, '"The Cup?".') for dialect in DIALECTS}
    assert asked["seg_zero"].startswith("""Please find '"the cup?"' with bbox and points.Compare""")
    assert asked["vision_reasoner"].startswith(
        'Please find "the cup" with bboxs and points.Compare'
    )
    assert 'corresponding to the instruction: "The Cup?".. Output the' in asked["visual_rft"]
    assert 'region this sentence describes: "The Cup?".. First output' in asked["vlm_r1"]
    assert asked["qwen"] == 'Locate "The Cup?"., output its bbox coordinates using JSON format.'
    others = {FORMS[dialect].system for dialect in DIALECTS if dialect != "visual_rft"}
    assert others == {"You are a helpful assistant."}
    assert FORMS["visual_rft"].system.startswith("A conversation between User and Assistant.")


def test_lists_give_every_object_with_a_box() -> None:
    text = tagged(
        '[{"note": 1}, {"bbox_2d": [9, 9, 1, 1]}, {"bbox_2d": [1, 2, 3, 4], "point_2d": [2, 3]}, '
        '{"bbox_2d": [5, 6, 7, 8], "point_2d": [6, 7]}, {"bbox_2d": "here"}]'
    )
    answer = parse_answer(text, "vision_reasoner")
    assert answer.box == (1.0, 2.0, 3.0, 4.0) and answer.points == ((2.0, 3.0, 1),)
    assert answer.others == (((5.0, 6.0, 7.0, 8.0), ((6.0, 7.0, 1),)),)
    plain = parse_answer(text, "qwen")
    assert plain.box == answer.box and plain.others == (((5.0, 6.0, 7.0, 8.0), ()),)
    # Elsewhere one object is asked for, and the first one counts.
    single = parse_answer(text, "sam_r1")
    assert single.status == "empty_box" and single.others == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (tagged("(100,200),(300,400)"), (100, 200, 300, 400)),
        (tagged("( 100 , 200 ) , ( 300 , 400 )"), (100, 200, 300, 400)),
        ("<answer>(100,200),(300,400", "missing_box"),
        ("no tags: (100,200),(300,400)", (100, 200, 300, 400)),
        ("<think>(1,2),(3,4)</think><answer>(5,6),(7,8)</answer>", (1, 2, 3, 4)),  # the first one
        (tagged("(1.5,2),(3,4)"), "missing_box"),
        (tagged("[100,200,300,400]"), "missing_box"),
        (tagged("(300,400),(100,200)"), "empty_box"),
        (tagged("(0,0),(2000,1000)"), (0, 0, 1000, 1000)),
        (THOUGHT, "no_answer"),
    ],
)
def test_visual_rft_is_read_as_its_own_evaluation_reads_it(text: str, found: object) -> None:
    answer = parse_answer(text, "visual_rft", answer_frame("visual_rft", 840))
    assert (answer.box or answer.status) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (tagged('{"bbox_2d": [1, 2, 3, 4], "label": "cup"}'), (1, 2, 3, 4)),
        (tagged('```json\n[{"bbox_2d": [1, 2, 3, 4]}, {"bbox_2d": [5,6,7,8]}]```'), (5, 6, 7, 8)),
        ('<answer>{"a": [1, 2, 3, 4]}</answer><answer>{"a": [5, 6, 7, 8]}</answer>', (1, 2, 3, 4)),
        (tagged("{'x': [1, 2, 3, 4]}"), (1, 2, 3, 4)),
        (tagged("[1, 2, 3, 4]"), "missing_box"),
        (tagged('{"bbox_2d": [1.5, 2, 3, 4]}'), "missing_box"),
        ('<answer>{"bbox_2d": [1, 2, 3, 4]}', "no_answer"),
        ('{"bbox_2d": [1, 2, 3, 4]}', "no_answer"),
    ],
)
def test_vlm_r1_is_read_as_its_own_evaluation_reads_it(text: str, found: object) -> None:
    answer = parse_answer(text, "vlm_r1")
    assert (answer.box or answer.status) == found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_comes_back_to_the_pixels_of_the_original(dialect: Dialect) -> None:
    frame = answer_frame(dialect, 840)
    assert frame == ((1000, 1000) if dialect == "visual_rft" else (840, 840))
    # A quarter to three quarters of either side, and a point in the middle.
    side = frame[0]
    box, middle = (side / 4, side / 4, 3 * side / 4, 3 * side / 4), (side / 2, side / 2, 1)
    text = format_answer(dialect, "it is left", box, [middle, middle], "cup")
    scaled = to_original(parse_answer(text, dialect, frame), frame, (640, 480), dialect)
    assert scaled.box == pytest.approx((160, 120, 480, 360))
    points = [value for x, y, _ in scaled.points for value in (x, y)]
    assert points == pytest.approx([] if dialect in BOX_ALONE else [320, 240] * (len(points) // 2))
    assert bool(points) == (dialect not in BOX_ALONE)


def test_whole_pixels_are_the_nearest_halves_up() -> None:
    # As Seg-Zero's and VisionReasoner's code has them; in the other dialects nothing is rounded.
    assert {one for one in DIALECTS if FORMS[one].whole_pixels} == {"seg_zero", "vision_reasoner"}
    answer = Answer((1, 1, 3, 3), ((2, 1, 1),), None, None, "ok")
    scaled = to_original(answer, (2, 2), (3, 5), "seg_zero")
    assert scaled.box == (2, 3, 5, 8) and scaled.points == ((3, 3, 1),)
    assert to_original(answer, (2, 2), (3, 5)).box == (1.5, 2.5, 4.5, 7.5)


def test_further_objects_are_scaled_with_the_first() -> None:
    answer = Answer((0, 0, 1, 1), (), None, None, "ok", (((2, 2, 4, 4), ((3, 3, 1),)),))
    scaled = to_original(answer, (10, 10), (20, 30))
    assert scaled.others == (((4, 6, 8, 12), ((6, 9, 1),)),)
