"""The dialects of public checkpoints: asked and read as their own code does, and in its frame."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hostile_answers import draw_response, hostile_response, mutate

from samr1.config.names import DIALECTS, POINT_VALUES, WITHOUT_THOUGHT, DialectName
from samr1.method.rewards import segmentation_format_reward
from samr1.policy import dialects
from samr1.policy.answer import Answer, parse_answer, to_original
from samr1.policy.dialects import get_dialect

THOUGHT = "<think> it is on the left </think>"
SEG_ZERO = '{"bbox": [10, 100, 200, 210], "points_1": [30, 110], "points_2": [35, 180]}'


def tagged(answer: str) -> str:
    return f"{THOUGHT}<answer>{answer}</answer>"


def test_every_name_has_its_file_and_every_file_its_name() -> None:
    files = {file.stem for file in Path(dialects.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(DIALECTS)
    assert {name for name in DIALECTS if '"value":' in get_dialect(name).template} == set(
        POINT_VALUES
    )
    assert {name for name in DIALECTS if not get_dialect(name).thinks} == set(WITHOUT_THOUGHT)


def test_questions_are_put_as_the_public_code_puts_them() -> None:
    asked = {name: get_dialect(name).ask('"The Cup?".') for name in DIALECTS}
    assert asked["seg_zero"].startswith("""Please find '"the cup?"' with bbox and points.Compare""")
    assert asked["vision_reasoner"].startswith(
        'Please find "the cup" with bboxs and points.Compare'
    )
    assert 'corresponding to the instruction: "The Cup?".. Output the' in asked["visual_rft"]
    assert 'region this sentence describes: "The Cup?".. First output' in asked["vlm_r1"]
    assert asked["qwen"] == 'Locate "The Cup?"., output its bbox coordinates using JSON format.'
    assert asked["qwen3"] == (
        'Locate every object that matches the description ""The Cup?"." in the image. Report bbox '
        "coordinates in JSON format."
    )
    for pixels, relative in (("sam_r1", "sam_r1_1000"), ("sam_r1_list", "sam_r1_1000_list")):
        assert "pixels" in asked[pixels] and "pixels" not in asked[relative]
        assert "with coordinates from 0 to 1000 along either side" in asked[relative]
    systems = {name: get_dialect(name).system for name in DIALECTS}
    assert systems.pop("qwen3") is None
    assert str(systems.pop("visual_rft")).startswith("A conversation between User and Assistant.")
    assert set(systems.values()) == {"You are a helpful assistant."}


@pytest.mark.parametrize("name", DIALECTS)
def test_well_formed_answers_come_back_whole(name: DialectName) -> None:
    form, points = get_dialect(name), [(50.0, 60.0, 1), (70.0, 80.0, 0)]
    answer = parse_answer(form.respond("it is left", (10, 20, 300, 400), points, 'the "cup"'), name)
    one, two = (50.0, 60.0, 1), (70.0, 80.0, 0)
    expected = {"sam_r1": (one,), "sam_r1_points": (one, two), "vision_reasoner": (one,)}
    expected |= dict.fromkeys(("sam_r1_1000", "sam_r1_list", "sam_r1_1000_list"), (one,))
    expected["seg_zero"] = (one, (70.0, 80.0, 1))  # Seg-Zero labels both 1
    assert answer == Answer(
        box=(10.0, 20.0, 300.0, 400.0),
        points=expected.get(name, ()),
        label='the "cup"' if name.startswith(("sam_r1", "qwen")) else None,
        think=None if name.startswith("qwen") else "it is left",
        status="ok",
    )
    assert answer.well_formed
    if form.points:
        with pytest.raises(ValueError, match="needs a point"):
            form.respond("it is left", (10, 20, 300, 400), [], "cup")


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_comes_back_to_the_pixels_of_the_original(name: DialectName) -> None:
    relative = name in ("sam_r1_1000", "sam_r1_1000_list", "visual_rft", "qwen3")
    form, side = get_dialect(name), 1000 if relative else 840
    assert form.frame(840) == (side, side)
    # A quarter to three quarters of either side, and a point in the middle.
    box, middle = (side / 4, side / 4, 3 * side / 4, 3 * side / 4), (side / 2, side / 2, 1)
    text = form.respond("it is left", box, [middle, middle], "cup")
    read = parse_answer(text, name, (side, side))
    scaled = to_original(read, (side, side), (640, 480), name)
    assert scaled.box == pytest.approx((160, 120, 480, 360))
    points = [value for x, y, _ in scaled.points for value in (x, y)]
    assert points == pytest.approx([320, 240] * min(form.points, 2))


def test_whole_pixels_as_the_public_code_rounds_them() -> None:
    answer = Answer((1, 1, 3, 3), ((2, 1, 1),), None, None, "ok")
    scaled = {name: to_original(answer, (2, 2), (3, 5), name) for name in DIALECTS}
    assert scaled["seg_zero"].box == (2, 2, 4, 8)  # halves to even
    assert scaled["vision_reasoner"].box == (2, 3, 5, 8)  # halves up
    assert scaled["vision_reasoner"].points == ((3, 3, 1),)
    others = set(DIALECTS) - {"seg_zero", "vision_reasoner"}
    assert {scaled[name].box for name in others} == {(1.5, 2.5, 4.5, 7.5)}


def seg_zero(old: str, new: str) -> str:
    return tagged(SEG_ZERO.replace(old, new))


READ: dict[DialectName, list[tuple[str, object]]] = {
    "seg_zero": [
        (tagged(SEG_ZERO), (10, 100, 200, 210)),
        (f"<answer>{SEG_ZERO}</answer>", "no_answer"),
        (f"<think></think>{SEG_ZERO}", "no_answer"),
        (f"<think> </think>{SEG_ZERO}", (10, 100, 200, 210)),
        (f"<think>a < b</think>{SEG_ZERO}", "no_answer"),
        (f"{THOUGHT}{{}}{SEG_ZERO}", (10, 100, 200, 210)),
        (THOUGHT + "none", "no_answer"),
        (seg_zero('"', "'"), "bad_json"),
        (seg_zero("]}", "],}"), "bad_json"),
        (tagged('{"a": "\n", ' + SEG_ZERO[1:]), "bad_json"),
        # The first braces of the whole response count, and nesting breaks them.
        (f"<think>{SEG_ZERO}</think>" + seg_zero("210", "211"), (10, 100, 200, 210)),
        (tagged(f'{{"a": {SEG_ZERO}, "b": 1}}'), "bad_json"),
        (seg_zero("points", "my_Points"), (10, 100, 200, 210)),
        (seg_zero("points", "point"), "missing_points"),
        (seg_zero("points_2", "p"), "missing_points"),
        (seg_zero("[35, 180]", "[35]"), "missing_points"),
        (seg_zero("180]}", '180], "points_3": 1}'), (10, 100, 200, 210)),
        (tagged(re.sub(r"(\d+)(?=[,\]])", r'"\1"', SEG_ZERO)), (10, 100, 200, 210)),
        (seg_zero("200", "200.9"), (10, 100, 200, 210)),
        (seg_zero("200", '"200.9"'), "bad_numbers"),
        (seg_zero("200", "NaN"), "bad_numbers"),
        (seg_zero("200", "9" * 5000), "bad_json"),
        (seg_zero("210]", "210, 1]"), "bad_numbers"),
        (seg_zero("bbox", "box"), "missing_box"),
        (tagged("[]"), "no_answer"),
    ],
    "visual_rft": [
        (tagged("(100,200),(300,400)"), (100, 200, 300, 400)),
        (tagged("( 100 , 200 ) , ( 300 , 400 )"), (100, 200, 300, 400)),
        ("<answer>(100,200),(300,400", "missing_box"),
        ("no tags: (100,200),(300,400)", (100, 200, 300, 400)),
        ("<think>(1,2),(3,4)</think><answer>(5,6),(7,8)</answer>", (1, 2, 3, 4)),
        (tagged("(1.5,2),(3,4)"), "missing_box"),
        (tagged("[100,200,300,400]"), "missing_box"),
        (tagged("(300,400),(100,200)"), "empty_box"),
        (tagged("(0,0),(2000,1000)"), (0, 0, 1000, 1000)),
        (tagged(f"(0,0),({'0' * 20}9,{'9' * 20})"), (0, 0, 9, 1000)),
        (tagged(f"(0,0),(9,{'9' * 5000})"), "bad_numbers"),
        (THOUGHT, "no_answer"),
    ],
    "vlm_r1": [
        (tagged('{"bbox_2d": [1, 2, 3, 4], "label": "cup"}'), (1, 2, 3, 4)),
        (tagged('```json\n[{"a": [1, 2, 3, 4]}, {"a": [5,6,7,8]}]```'), (5, 6, 7, 8)),
        ("<answer>{[1, 2, 3, 4]}</answer><answer>{[5, 6, 7, 8]}</answer>", (1, 2, 3, 4)),
        (tagged("{'x': [1, 2, 3, 4]}"), (1, 2, 3, 4)),
        (tagged('{"a": [ 1, 2, 3, 4]}'), "missing_box"),
        (tagged('{"a": [1, 2, 3, 4 ]}'), "missing_box"),
        (tagged("[1, 2, 3, 4]"), "missing_box"),
        (tagged('{"bbox_2d": [1.5, 2, 3, 4]}'), "missing_box"),
        ('<answer>{"bbox_2d": [1, 2, 3, 4]}', "no_answer"),
        ('{"bbox_2d": [1, 2, 3, 4]}', "no_answer"),
    ],
    "vision_reasoner": [
        # VisionReasoner's code takes the first answer, ours the last.
        ("<answer>[1, 2, 3, 4]</answer>" + tagged("[5, 6, 7, 8]"), (1, 2, 3, 4)),
    ],
    "qwen": [
        ("<answer>[1, 2, 3, 4]</answer>" + tagged("[5, 6, 7, 8]"), (5, 6, 7, 8)),
        ('```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "<answer>"}]\n```', (1, 2, 3, 4)),
        ("the cup(1,2),(3,4)", (1, 2, 3, 4)),
        ("between (1,2) and (3,4)", "no_answer"),
    ],
    "sam_r1": [
        ("the cup(1,2),(3,4)", "no_answer"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "found"), [(name, *case) for name, cases in READ.items() for case in cases]
)
def test_read_as_the_public_code_reads(name: DialectName, text: str, found: object) -> None:
    answer = parse_answer(text, name, get_dialect(name).frame(840))
    assert (answer.box or answer.status) == found
    if name == "seg_zero" and answer.box:
        assert answer.points == ((30.0, 110.0, 1), (35.0, 180.0, 1))


def test_qwen2_vls_box_tokens_give_all_boxes() -> None:
    said = "<|object_ref_start|>cup<|object_ref_end|><|box_start|>{}<|box_end|>"
    text = said.format("(1,2),(30,40)") + said.format("(50,60),(70,80)")
    bare = re.sub(r"<\|\w+\|>", "", text)  # as decoding leaves it
    for response in (text, bare, f"{THOUGHT}<answer>{bare}</answer>"):
        answer = parse_answer(response, "qwen")
        assert (answer.box, answer.others) == ((1, 2, 30, 40), (((50, 60, 70, 80), ()),))
    assert parse_answer("(1,2),(30,40)" * 1001, "qwen").status == "too_long"


def seg_zero_plainly(text: str) -> list[float]:
    """Seg-Zero's rules by its own pattern and by `int`; raises where its code does."""
    data = json.loads(re.findall(r"{[^}]+}", text)[0])
    box = data[next(key for key in data if "bbox" in key.lower())]
    first, second = [key for key in data if "points" in key.lower()][:2]
    assert len(box) == 4 and re.search(r"<think>([^<]+)</think>", text)
    numbers = [box[i] for i in range(4)] + [data[key][i] for key in (first, second) for i in (0, 1)]
    return [float(int(number)) for number in numbers]


def visual_rft_plainly(text: str) -> list[float]:
    pattern = r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"
    return [int(digits) / 1000 * 1000 for digits in re.findall(pattern, text)[0]]


def vlm_r1_plainly(text: str) -> list[float]:
    answer = re.findall(r"<answer>(.*?)</answer>", text, re.DOTALL)[0].strip()
    pattern = r"\{.*\[(\d+),\s*(\d+),\s*(\d+),\s*(\d+)]\s*.*\}"
    return [float(int(digits)) for digits in re.findall(pattern, answer, re.DOTALL)[0]]


def vision_reasoner_plainly(text: str) -> list[float]:
    found = re.findall(r"<answer>\s*(.*?)\s*</answer>", text, re.DOTALL)
    objects = [(one["bbox_2d"], one["point_2d"]) for one in json.loads(found[0])]
    assert all(type(n) in (int, float) for box, place in objects for n in (*box, *place))
    assert all((len(box), len(place)) == (4, 2) for box, place in objects)
    return [n + 0.0 for box, place in objects for n in (*box, *place)]


@pytest.mark.parametrize(
    ("name", "plainly"),
    [
        ("seg_zero", seg_zero_plainly),
        ("visual_rft", visual_rft_plainly),
        ("vlm_r1", vlm_r1_plainly),
        ("vision_reasoner", vision_reasoner_plainly),
    ],
)
def test_mutated_answers_are_read_as_the_public_rules_say(name: DialectName, plainly: Any) -> None:
    rng, read, huge = random.Random(f"as {name}"), 0, (10**9, 10**9)
    for _ in range(4000):
        text = (
            mutate(rng, draw_response(rng, name)) if rng.random() < 0.8 else hostile_response(rng)
        )
        try:
            numbers = plainly(text)
        except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, StopIteration):
            numbers = []
        except RecursionError:
            continue
        answer = parse_answer(text, name, huge)
        if not numbers and name == "vision_reasoner":
            continue  # read more kindly
        if numbers and (min(numbers) < 0 or max(numbers) > huge[0] or answer.status == "empty_box"):
            continue  # clipped, and without area no box: that is ours
        objects = [(answer.box, answer.points), *answer.others] if answer.box else []
        found = [
            n for box, points in objects for n in (*box, *(n for x, y, _ in points for n in (x, y)))
        ]
        assert found == numbers, text
        read += bool(found)
    assert read > 500


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vlm_r1", tagged('{"bbox_2d": [-0, 20, 30, 40]}')),
        ("vlm_r1", tagged('{"bbox_2d": [10 , 20, 30, 40]}')),
        ("seg_zero", f"<answer>{SEG_ZERO}</answer>"),
        ("seg_zero", f"<think>a < b</think><answer>{SEG_ZERO}</answer>"),
        ("seg_zero", f'<think>{{"a": 1}}</think><answer>{SEG_ZERO}</answer>'),
        ("visual_rft", "<think>(1,2),(3,4)</think><answer>(5,6),(7,8)</answer>"),
    ],
)
def test_what_is_not_what_is_read_is_not_well_formed(name: DialectName, text: str) -> None:
    assert segmentation_format_reward(text, name) == -1
    assert parse_answer(text, name).box != (10, 20, 30, 40)
