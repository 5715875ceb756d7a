"""Reading an answer: what is let pass, how the rest is named; nothing makes it raise or wait."""

from __future__ import annotations

import dataclasses
import gc
import json
import random
import time
from collections.abc import Iterator
from typing import get_args

import pytest
from hostile_answers import PIECES, check_response, draw_response, hostile_response, mutate

from samr1.config.names import DIALECTS, DialectName
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.parsing import MAX_CHARACTERS, MAX_OBJECTS, Status

THOUGHT = "<think> it is on the left </think>"
BOX, NEXT = "[10, 20, 30, 40]", "[50, 60, 70, 80]"
BOXES = [(10.0, 20.0, 30.0, 40.0), (50.0, 60.0, 70.0, 80.0)]
LISTS: tuple[DialectName, ...] = ("sam_r1_list", "vision_reasoner", "qwen")


def tagged(answer: str) -> str:
    return f"{THOUGHT}<answer>{answer}</answer>"


def boxes_of(answer: Answer) -> list[object]:
    return [] if answer.box is None else [answer.box, *(box for box, _ in answer.others)]


@pytest.mark.parametrize(
    "text",
    [
        f'{{"bbox_2d": {BOX}}}',
        f'<answer>{{"bbox_2d": {BOX}}}',  # cut at the length limit
        f'<answer>{{"bbox_2d": {BOX}, "point_2d": [15, 2',
        f'{THOUGHT}{{"bbox_2d": {BOX}, "label": "c',
        tagged(f'```json\n[{{"bbox_2d": {BOX}}}]\n```'),
        tagged('The answer is {"bbox": [10, 20.0, 3e1, 40]}, I think.'),
        tagged(f'{{"answer": {{"bbox_2d": {BOX}}}}}'),
        tagged(f'{{"label": "a\ncup", "bbox_2d": {BOX}, "why": null}}'),
        tagged(f'{{oops}} {{"bbox_2d": {BOX}}}'),
        tagged(f'{{"note": 1}} {{"bbox_2d": {BOX}}}'),
        tagged(f'{{"bbox_2d": null}} {{"bbox_2d": {BOX}}}'),
        tagged(f'{{"bbox_2d": [1, 2, 3 {{"bbox_2d": {BOX}}}'),
        tagged(BOX),
        f'<think>{{"bbox_2d": [1, 2, 3, 4]}}</think>{{"bbox_2d": {BOX}}}',
        f'<answer>{{"bbox_2d": [1, 2, 3, 4]}}</answer>{tagged(f"""{{"bbox_2d": {BOX}}}""")}',
        tagged(f'{{"bbox_2d": {BOX}, "point_2d": "middle", "label": 7}}'),
        tagged(f'{{"bbox_2d": {BOX}}}') + "\ud800",
        tagged(f"{{'bbox_2d': {BOX}, 'label': 'boy's hat'}}\nThat is the \"hat\"."),
        tagged(f"The \"cup\": {{'bbox_2d': {BOX}, 'label': \"boy's cup\"}}"),
        tagged(f'{{"bbox_2d": {BOX}, "label": "the "red" cup"}}'),
        tagged("{“bbox_2d”: (10， 20， 30， 40)}"),
        tagged('{"bbox_2d": [10, 20, 30, 40,], // here\n}'),
        tagged(f'{{\\"bbox_2d\\": {BOX}}}'),
        tagged(f'{{"bounding_box": {BOX}}}'),
        tagged(f'{{"bbox_label": "cup", "bbox_2d": {BOX}}}'),
        tagged('{"bbox_2d": {"x1": 10, "y1": 20, "x2": 30, "y2": 40}}'),
        tagged('{"bbox_2d": [[10, 20], [30, 40]]}'),
    ],
)
@pytest.mark.parametrize("dialect", ["sam_r1", *LISTS])
def test_a_box_is_found_whatever_the_form(text: str, dialect: DialectName) -> None:
    if dialect == "vision_reasoner":  # of several answers its code takes the first
        text = text.removeprefix('<answer>{"bbox_2d": [1, 2, 3, 4]}</answer>')
    answer = parse_answer(text, dialect)
    assert boxes_of(answer) == BOXES[:1] and answer.points == () and not answer.well_formed


@pytest.mark.parametrize(
    "text",
    [
        f'{{"bbox_2d": {BOX}}}\n{{"bbox_2d": {NEXT}}}',
        f'[{{"bbox_2d": {BOX}}},, {{"bbox_2d": {NEXT}}},]',
        f'[{{"bbox_2d": {BOX}}}]\n[{{"bbox_2d": {NEXT}}}]',
        f'{{"bbox_2d": {BOX}}},\n{{"bbox_2d": {NEXT}}}]',
        f'{{"bbox_2d": [{BOX}, {NEXT}], "label": "cup"}}',
        f'{{"bboxes": [[[10, 20], [30, 40]], {NEXT}]}}',
        f'{{"objects": [{{"bbox_2d": {BOX}}}, {{"bbox_2d": {NEXT}}}]}}',
        f'{{"object": "a", "bbox": {BOX}, "object": "b", "bbox": {NEXT}}}',
        f"[{BOX}, {NEXT}]",
        f'[{{"bbox_2d": {BOX}}}, {{"bbox_2d": {NEXT}, "label": "c',  # cut at the length limit
        f'{{"bbox": {BOX}, "bbox": {NEXT}, "bbox": [90, 91, 9',
        f'[{{"bbox_2d": "here"}}, {{"bbox_2d": {BOX}}}, {{"bbox_2d": [9, 9, 1, 1]}}, '
        f'{{"bbox_2d": {NEXT}, "point_2d": [1, , 2]}}]',
    ],
)
@pytest.mark.parametrize("dialect", LISTS)
def test_lists_give_every_box_that_is_whole(text: str, dialect: DialectName) -> None:
    for response in (text, tagged(text)):
        answer = parse_answer(response, dialect)
        assert boxes_of(answer) == BOXES and not answer.well_formed


def test_each_object_has_its_own_points() -> None:
    given = ((50.0, 60.0, 1),), ((70.0, 80.0, 0),)
    for text in (
        f'[{{"bbox_2d": {BOX}, "point_2d": [50, 60]}}, {{"bbox_2d": {NEXT}, "points": '
        '[{"point_2d": [70, 80], "value": 0}]}]',
        f'{{"bbox": {BOX}, "points": [[50, 60]], "bbox": {NEXT}, "points": [{{"point": [70, 80], '
        '"value": 0}]}',
        f'{{"bboxes": [{BOX}, {NEXT}], "points": [[50, 60], {{"point": [70, 80], "value": 0}}]}}',
    ):
        answer = parse_answer(text, "vision_reasoner")
        assert (answer.points, answer.others[0][1]) == given
    # Which point is whose cannot be told where their number differs.
    assert parse_answer(f'{{"bboxes": [{BOX}, {NEXT}], "points": [[1, 2]]}}', "qwen").points == ()


def test_one_object_is_the_first_and_must_be_whole_itself() -> None:
    # Training pays for no answer that is broken, and for none but the first.
    first = f'{{"bbox_2d": [9, 9, 1, 1]}} {{"bbox_2d": {BOX}}}'
    assert parse_answer(tagged(first)).status == "empty_box"
    for broken in (
        f'{{"bbox_2d": {BOX}, "label": "cu',
        f'{{"bbox_2d": {BOX}, "point_2d": [29, , 26]}}',
        f'{{"bbox_2d": {BOX}, "point_2d": [{{"point": [29, 26], "value": 1}}',
    ):
        assert parse_answer(tagged(broken)).box is None
        assert boxes_of(parse_answer(tagged(broken), "qwen")) == BOXES[:1]


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "null", " None\n", "```json\n[]\n```", "[[], null]", '{"bbox_2d": null}'),
        *(
            "{'boxes': []}",
            '{"objects": [], "why": null}',
            '[{"bbox_2d": [], "point_2d": []}]',
            '{"bboxes": [[], []], "label": 1}',
        ),
    ],
)
@pytest.mark.parametrize("dialect", ["sam_r1", *LISTS])
def test_nothing_there_is_an_answer(text: str, dialect: DialectName) -> None:
    for response in (text, tagged(text)):
        answer = parse_answer(response, dialect)
        assert (answer.status, answer.box) == ("nothing_there", None)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", "no_answer"),
        ("I cannot see it [1].", "no_answer"),
        (THOUGHT, "no_answer"),
        (f'<think>one is {{"bbox_2d": {BOX}}}, but', "no_answer"),  # a thought that has not ended
        (f'{THOUGHT}<think>{{"bbox_2d": {BOX}}}', "no_answer"),
        (tagged("the cup"), "bad_json"),
        (tagged("{oops"), "bad_json"),
        (tagged('{"bbox_2d": [10, 20, 30'), "bad_json"),
        ('{"bbox_2d": [10, 20,', "bad_json"),
        (tagged("{}"), "missing_box"),
        (tagged('{"label": "cup", "point_2d": [1, 2]}'), "missing_box"),
        (tagged('{"bbox_label": "cup"}'), "missing_box"),
        (tagged('{"bbox_2d": ["10", "20", "30", "40"]}'), "bad_numbers"),
        (tagged('{"bbox_2d": [true, 20, 30, 40]}'), "bad_numbers"),
        (tagged('{"bbox_2d": [NaN, 20, 30, 40]}'), "bad_numbers"),
        (tagged('{"bbox_2d": [10, 20, -Infinity, 40]}'), "bad_numbers"),
        (tagged('{"bbox_2d": [10, 20, 1e999, 40]}'), "bad_numbers"),
        (tagged(f'{{"bbox_2d": [10, 20, 30, {10**400}]}}'), "bad_numbers"),
        (tagged('{"bbox_2d": [10, 20, 30, 4' + "0" * 5000 + "]}"), "bad_numbers"),
        (tagged('{"bbox_2d": [10, 20, 30]}'), "bad_numbers"),
        (tagged('{"bbox_2d": [[1, 2], [3, 4], [5, 6], [7, 8]]}'), "bad_numbers"),
        (tagged('{"bbox_2d": ' + "[" * 40 + "1" + "]" * 40 + "}"), "bad_numbers"),
        (tagged('{"bbox_2d": [30, 40, 10, 20]}'), "empty_box"),
        (tagged('{"bbox_2d": [10, 20, 10, 40]}'), "empty_box"),
        (tagged('{"bbox_2d": [0, 0, 0, 0]}'), "empty_box"),
        (tagged('{"bbox_2d": [900, 20, 950, 40]}'), "empty_box"),
        (tagged('{"bbox_2d": [10, -20, 30, -1]}'), "empty_box"),
        (tagged(" " * MAX_CHARACTERS + f'{{"bbox_2d": {BOX}}}'), "too_long"),
    ],
)
def test_failures_have_names(text: str, status: Status) -> None:
    answer = parse_answer(text)
    assert answer.status == status and answer.box is None


def test_statuses_are_all_documented() -> None:
    documented = Answer.__doc__ or ""
    assert all(f"{status}:" in documented for status in get_args(Status))
    assert all(f"{bound:,}" in documented for bound in (MAX_CHARACTERS, MAX_OBJECTS))


@pytest.mark.parametrize("count", [2, 16, 17, 20, 40, MAX_OBJECTS, MAX_OBJECTS + 1])
@pytest.mark.parametrize("dialect", LISTS)
def test_no_object_is_lost_in_silence(count: int, dialect: DialectName) -> None:
    boxes = [[i % 40 * 20, i // 40 * 20, i % 40 * 20 + 8, i // 40 * 20 + 8] for i in range(count)]
    objects = [{"bbox_2d": box, "point_2d": box[:2]} for box in boxes]
    for written in (objects, boxes, {"bboxes": boxes}):
        answer = parse_answer(tagged(json.dumps(written)), dialect)
        if count > MAX_OBJECTS:
            assert answer.status == "too_long" and answer.box is None
        else:
            assert boxes_of(answer) == [tuple(map(float, box)) for box in boxes]


def test_box_and_points_are_clipped_to_a_frame_that_need_not_be_square() -> None:
    text = tagged('{"bbox_2d": [-5, 1.5, 1e300, 90], "point_2d": [99, -3], "label": " cup "}')
    answer = parse_answer(text, frame=(100, 84))
    assert answer.box == (0.0, 1.5, 100.0, 84.0)
    assert answer.points == ((99.0, 0.0, 1),)
    assert answer.label == "cup"


@pytest.mark.parametrize(
    ("written", "points"),
    [
        ('"points": [{"point_2d": [1, 2], "value": 0}, [3, 4]]', ((1.0, 2.0, 0), (3.0, 4.0, 1))),
        ('"points": [{"point_2d": [1, 2]}]', ((1.0, 2.0, 1),)),
        ('"points": [{"point_2d": [1, 2], "value": 2}, {"value": 1}, 5, null]', ()),
        ('"points": [{"point_2d": [1, 2], "value": true}]', ()),
        ('"points": [{"point_2d": [NaN, 2], "value": 1}]', ()),
        ('"points": {"point_2d": [1, 2]}', ()),
        ('"point_2d": [1, 2, 3]', ()),
        ('"points": [' + ", ".join(["[1, 2]"] * 99) + "]", ((1.0, 2.0, 1),) * 16),
    ],
)
def test_malformed_points_are_left_out(written: str, points: tuple[object, ...]) -> None:
    answer = parse_answer(tagged(f'{{"bbox_2d": [0, 0, 9, 9], {written}}}'), "sam_r1_points")
    assert answer.status == "ok" and answer.points == points


def test_scaling_to_the_original_image() -> None:
    others = (((42.0, 0.0, 84.0, 42.0), ((21.0, 21.0, 1),)),)
    answer = Answer((0.0, 21.0, 84.0, 84.0), ((42.0, 42.0, 0),), "cup", "left", "ok", others)
    scaled = to_original(answer, frame=(84, 84), size=(640, 480))
    assert scaled.box == (0.0, 120.0, 640.0, 480.0)
    assert scaled.points == ((320.0, 240.0, 0),)
    assert scaled.others == (((320.0, 0.0, 640.0, 240.0), ((160.0, 120.0, 1),)),)
    back = dataclasses.replace(scaled, box=answer.box, points=answer.points, others=others)
    assert back == answer
    failed = Answer(None, (), None, None, "bad_json")
    assert to_original(failed, (84, 84), (640, 480)) == failed


def test_an_answer_on_0_to_1000_is_scaled_as_one_in_a_frame_of_1000() -> None:
    frame = (1000, 1000)
    answer = parse_answer('{"bbox_2d": [0, 500, 250, 1000]}', "qwen", frame)
    assert to_original(answer, frame, (640, 480)).box == (0.0, 240.0, 160.0, 480.0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mutated_answers_are_sound_and_rewarded_only_where_they_are_read(
    dialect: DialectName,
) -> None:
    rng = random.Random(f"mutations of {dialect}")
    answers = [
        check_response(mutate(rng, draw_response(rng, dialect)), dialect) for _ in range(1500)
    ]
    assert 300 < sum(answer.well_formed for answer in answers) < 1400
    assert 400 < sum(answer.box is not None for answer in answers) < 1450
    for _ in range(500):
        check_response(hostile_response(rng), dialect)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Garbage of all tests before is not collected here: that takes longer than the limit."""
    gc.disable()
    yield
    gc.enable()


HARD = ["{", "}{", "[{", '{"a":', "{'", '"', "'", '["a"b,', "(1,", "(1,2),(", "[1, 2, ", "{}", "//"]
HARD += [
    '{"bbox":[1,2,3,4]},',
    '{"bboxes":[[1,2,3,4],',
    "\\",
    '\\"',
    "\\\\ ",
    "/*",
    "9",
    " ",
    "a ",
    "é",
]


def seconds_to_read(text: str, dialect: DialectName) -> float:
    start = time.process_time()
    parse_answer(text, dialect)
    return time.process_time() - start


@pytest.mark.parametrize("dialect", ["sam_r1", "qwen", "seg_zero", "visual_rft", "vlm_r1"])
@pytest.mark.usefixtures("no_collection")
def test_no_text_costs_time(dialect: DialectName) -> None:
    frames = "{}", "<think>a</think><answer>{}</answer>", '<think>a</think>[{{"a": "{}'
    for piece in HARD + list(PIECES if dialect == "qwen" else ()):
        for frame in frames:
            text = frame.format(piece * (10_000 // len(piece)))
            assert seconds_to_read(text, dialect) < 0.05, (piece, frame)
    for piece in HARD:
        text = frames[1].format(piece * (130_000 // len(piece)))
        assert seconds_to_read(text, dialect) < 1, piece


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("piece", ["{", "<think>", "</think>", "<answer>", "(1,2),"])
def test_ten_megabytes_return_quickly(piece: str, dialect: DialectName) -> None:
    text = piece * (10_000_000 // len(piece))
    assert seconds_to_read(text, dialect) < 0.2
    assert parse_answer(text, dialect).box is None


def test_an_answer_after_megabytes_of_thought_is_still_read() -> None:
    text = f'<think>{"hm " * 3_000_000}</think><answer>{{"bbox_2d": [1, 2, 3, 4]}}</answer>'
    assert parse_answer(text).box == (1.0, 2.0, 3.0, 4.0)
