"""The gallery's data: IoU and outcome of each answer, kinds of questions, outlines, one file."""

from __future__ import annotations

import base64
import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from answer_world import (
    GOOD,
    HOSTILE,
    POOR,
    TRUTH,
    WRONG,
    answer,
    fill,
    predictions,
    sample,
    samples,
    write_image,
)
from commands import call
from PIL import Image

from samr1.cli import draw_gallery
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.core.schemas import OBJECTS
from samr1.data.masks import Mask, encode_mask, mask_iou
from samr1.micro.scenes import Scene, Thing, draw_scene, generator
from samr1.report.gallery.drawing import box_outline, frame_size, mask_outline, thumbnail
from samr1.report.gallery.kinds import Kind, has_complex_boundary, kinds_in_scene
from samr1.report.gallery.records import judge, list_answers, list_questions


def test_every_answer_has_its_iou_and_outcome_in_the_samples_order() -> None:
    points = [(20, 20, 1), (50, 5, 0)]
    given = [answer(GOOD, points), answer(POOR, points), answer(WRONG, points[1:]), answer(None)]
    # A loose box about the object, though the mask is of another.
    given.append(answer(WRONG, box=[10.0, 10.0, 60.0, 40.0]))
    table = predictions(given).take([4, 3, 2, 1, 0])
    found = list_answers(samples([sample()] * 5), table)
    assert found["outcome"] == ["good", "low_iou", "wrong_object", "unparseable", "wrong_object"]
    assert found["iou"] == [0.81, round(100 / 525, 4), 0, 0, 0]
    assert found["other_iou"] == [0.81, round(100 / 525, 4), 0, 0, round(400 / 1500, 4)]
    assert found["text"] == [None, None, None, "I cannot see it.", None]
    assert found["think"][3] is None and found["mask"][3] is None and found["points"][3] == []
    assert found["points"][0][1] == [round(50 * 320 / 60, 1), round(5 * 213 / 40, 1), 0]


def test_outcomes_at_their_bounds() -> None:
    assert judge(True, 0.5, True) == judge(True, 0.5, False) == "good"
    assert judge(True, 0.4999, True) == judge(True, 0.0, True) == "low_iou"
    assert judge(True, 0.4999, False) == "wrong_object"
    assert judge(False, 0.0, False) == "unparseable"


def test_a_wrong_object_is_one_that_the_mask_overlaps_more_or_where_the_point_is_not() -> None:
    asked = samples([sample()] * 2)
    given = predictions([answer(POOR, [(21, 21, 1)]), answer(POOR, [(33, 33, 1)])])
    assert list_answers(asked, given)["outcome"] == ["low_iou", "wrong_object"]
    masks = [encode_mask(fill(box)) for box in (TRUTH, (25, 25, 40, 40))]
    rows = [{"image_id": "0", "mask": mask} for mask in masks]
    for there, outcome in ((rows[:1], "low_iou"), (rows, "wrong_object")):  # whatever the points
        objects = pa.Table.from_pylist(there, OBJECTS)
        assert list_answers(asked, given, objects)["outcome"] == [outcome] * 2


def test_ignored_pixels_are_ground_truth_and_lisa_grounding_is_of_boxes(tmp_path: Path) -> None:
    write_image(tmp_path)
    ignore = fill((30, 10, 50, 30))
    asked = samples([sample(ignore=encode_mask(ignore))])
    assert list_answers(asked, predictions([answer(TRUTH)]))["iou"] == [0.5]
    truth = list_questions(asked, [set()], tmp_path, {})["truth"]
    assert truth == [mask_outline(fill(TRUTH) | ignore)]
    # On data of one's own they are neither.
    asked = samples([sample(dataset="photos", ignore=encode_mask(ignore))])
    assert list_answers(asked, predictions([answer(TRUTH)]))["iou"] == [1.0]
    assert list_questions(asked, [set()], tmp_path, {})["truth"] == [mask_outline(fill(TRUTH))]

    asked = samples([sample(dataset="lisa_grounding")] * 2)
    given = [answer(None, box=[10.0, 10.0, 30.0, 30.0]), answer(GOOD, box=None)]
    assert list_answers(asked, predictions(given))["outcome"] == ["good", "unparseable"]
    truth = list_questions(asked, [set(), set()], tmp_path, {})["truth"]
    assert truth == [box_outline(TRUTH, (60, 40))] * 2


def test_where_a_box_is_all_that_is_known_its_pixels_stand_for_the_mask(tmp_path: Path) -> None:
    write_image(tmp_path)
    given = predictions([answer(GOOD), answer(WRONG), answer(None)])
    known = samples([sample(dataset="lisa_grounding")] * 3)
    alone = samples([sample(dataset="photos", mask=None)] * 3)
    assert list_answers(alone, given) == list_answers(known, given)
    shown = [list_questions(asked, [set()] * 3, tmp_path, {}) for asked in (alone, known)]
    assert shown[0] == shown[1]


def test_every_object_of_a_list_is_drawn() -> None:
    others = [{"box": [float(side) for side in POOR], "points": [{"x": 30, "y": 20, "value": 1}]}]
    given = predictions([answer(GOOD, [(15, 20, 1)], others=others)])
    shown = list_answers(samples([sample()]), given)
    assert shown["box"] == [box_outline(GOOD, (60, 40)) + box_outline(POOR, (60, 40))]
    assert [point[0] for point in shown["points"][0]] == [80, 160]


def rasterise(path: str, frame: tuple[int, int]) -> Mask:
    """The path as a mask of its frame."""
    polygons = []
    for start, steps in re.findall(r"M([\d,]+)l([^z]*)z", path):
        corners = np.array([start.split(","), *np.reshape(steps.split(), (-1, 2))], int)
        polygons.append(np.cumsum(corners, axis=0).astype(np.int32))
    canvas = np.zeros(frame[::-1], np.uint8)
    cv2.fillPoly(canvas, polygons, 1)  # several at once: even-odd
    return canvas.astype(bool)


def disc(radius: int) -> Mask:
    y, x = np.mgrid[:480, :640]
    return (x - 300) ** 2 + (y - 200) ** 2 < radius**2


@pytest.mark.parametrize("mask", [disc(150), disc(150) & ~disc(70), disc(60) | ~disc(190)])
def test_outlines_enclose_their_masks(mask: Mask) -> None:
    frame = frame_size(640, 480)
    scaled = cv2.resize(mask.astype(np.uint8), frame, interpolation=cv2.INTER_NEAREST)
    assert mask_iou(rasterise(mask_outline(mask), frame), scaled.astype(bool)) > 0.97


def test_outlines_of_nothing_and_of_one_pixel() -> None:
    assert mask_outline(np.zeros((40, 60), bool)) == ""
    one = np.zeros((320, 320), bool)
    one[7, 5] = True
    assert mask_outline(one) == "M5,7h1v1h-1z"


def test_large_images_are_made_small_and_small_ones_are_not_made_large(tmp_path: Path) -> None:
    for size, expected in ((640, 480), (320, 240)), ((60, 40), (60, 40)):
        Image.new("RGB", size, (200, 30, 30)).save(tmp_path / "image.png")
        data = base64.b64decode(thumbnail(tmp_path / "image.png", size, "s0"))
        with Image.open(BytesIO(data)) as image:
            assert (image.format, image.size) == ("WEBP", expected)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ("blue star", set()),
        ("blue circle", {"several"}),
        ("red star", {"distractors"}),
        ("red circle", {"several"}),
        ("blue circle, red star", {"several", "distractors"}),
    ],
)
def test_the_drawn_world_says_what_else_is_there(others: str, expected: set[Kind]) -> None:
    things = []
    for place, name in enumerate(["red circle", *others.split(", ")]):
        color, shape = name.split()
        left, right = 10.0 + 40 * place, 30.0 + 40 * place
        corners = ((left, 10.0), (right, 10.0), (right, 30.0), (left, 30.0))
        things.append(Thing(shape, color, 10, (left + 10, 20), corners))
    scene = Scene(160, 60, tuple(things), 0)
    assert kinds_in_scene(scene, [10, 10, 30, 30]) == expected
    assert kinds_in_scene(scene, [0.0] * 4) == set()


def test_a_part_of_something_drawn_is_one() -> None:
    scenes = (draw_scene(generator("test", "kinds", index)) for index in range(50))
    scene = next(one for one in scenes if one.things[0].whole and one.things[-1].whole is None)
    kinds = [kinds_in_scene(scene, thing.box) for thing in scene.things]
    assert ["part" in found for found in kinds] == [bool(t.whole) for t in scene.things]


def test_boundaries_are_complex_where_the_outline_is_far_from_convex() -> None:
    cross = fill((10, 16, 50, 24)) | fill((26, 0, 34, 40))
    assert has_complex_boundary(cross)
    for mask in (disc(100), fill(TRUTH), np.zeros((4, 4), bool)):
        assert not has_complex_boundary(mask)


def write_inputs(root: Path, **texts: str) -> list[str]:
    """Two benchmarks with two runs and one; the command's arguments without its output.

    `texts` stand in the place of what is asked and answered.
    """
    asked = {name: text for name, text in texts.items() if name == "query"}
    said = {name: text for name, text in texts.items() if name != "query"}
    one = predictions([answer(box, **said) for box in (GOOD, POOR, WRONG, None)])
    tables = {
        "sam_r1/seed_0/first": one,
        "sam_r1/seed_0/second": one,
        "base/seed_0/first": predictions([answer(TRUTH)] * 4),
    }
    images = [write_image(root, f"{i}.png") for i in range(4)]
    files = [root / "samples" / f"{name}.parquet" for name in ("first", "second")]
    for path in files:
        write_table(path, samples([sample(image_path=image, **asked) for image in images]))
    for name, table in tables.items():
        write_table(root / f"{name}.parquet", table)
    arguments = ["--scale", "paper", "--root", root, "--samples", *files, "--predictions"]
    return [str(one) for one in (*arguments, *(root / f"{name}.parquet" for name in tables))]


def draw(arguments: list[str], output: Path) -> str:
    call(draw_gallery.main, *arguments, output=output)
    return output.read_text(encoding="utf-8")


def blocks(page: str) -> dict[str, Any]:
    """The page's data by id."""
    found = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', page, re.S)
    return {name: json.loads(text) for name, text in found}


def test_the_page_holds_everything_once_and_is_the_same_bytes_twice(tmp_path: Path) -> None:
    arguments = write_inputs(tmp_path)
    page = draw(arguments, tmp_path / "one.html")
    assert page == draw(arguments, tmp_path / "two.html")
    data = blocks(page)
    runs = [benchmark["runs"] for benchmark in data["meta"]["benchmarks"]]
    assert runs == [["sam_r1", "base"], ["sam_r1"]]
    assert sum(name.startswith("image-") for name in data) == 4  # both benchmarks show them
    assert data["answers-0-1"]["iou"] == [1.0] * 4
    assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org/)", page)


def test_no_text_ends_a_block(tmp_path: Path) -> None:
    hostile = dict.fromkeys(("query", "think", "label", "text"), HOSTILE)
    page = draw(write_inputs(tmp_path, **hostile), tmp_path / "page.html")
    data = blocks(page)
    assert data["questions-0"]["query"] == [HOSTILE] * 4
    assert data["answers-0-0"]["think"][0] == data["answers-0-0"]["text"][3] == HOSTILE
    assert page.count("<script") == page.count("</script>") == len(data) + 1
    assert "<!--" not in page and "<img" not in page


def test_a_broken_answer_names_its_run_and_benchmark(tmp_path: Path) -> None:
    arguments = write_inputs(tmp_path)
    broken = [answer(TRUTH, mask=encode_mask(np.ones((4, 4))))] * 4
    write_table(tmp_path / "base/seed_0/first.parquet", predictions(broken))
    with pytest.raises(UserError, match="run 'base' on 'first': sample 's0': the predicted mask"):
        draw(arguments, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
