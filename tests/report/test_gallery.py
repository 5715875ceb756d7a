"""The gallery's data: IoU and outcome of each answer, kinds of questions, outlines, one file."""

from __future__ import annotations

import json
import re
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from gallery_world import (
    GOOD,
    HOSTILE,
    POOR,
    TRUTH,
    WRONG,
    answer,
    predictions_table,
    sample,
    samples_table,
    square,
)
from PIL import Image

from samr1.cli import draw_gallery
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.data.masks import Mask, encode_mask, mask_iou
from samr1.micro.scenes import Scene, Thing
from samr1.report.gallery import kinds, records
from samr1.report.gallery.drawing import frame_size, outline, thumbnail
from samr1.report.gallery.kinds import Kind


def test_every_answer_has_its_iou_and_outcome_in_the_samples_order(tmp_path: Path) -> None:
    samples = samples_table([sample(i, tmp_path) for i in range(5)])
    given = [answer(i, mask) for i, mask in enumerate((GOOD, POOR, WRONG, None))]
    # A loose box that meets the object, though the mask is of another.
    given.append(answer(4, WRONG, box=[10.0, 10.0, 60.0, 40.0]))
    found = records.answers(samples, predictions_table(given[::-1]))
    assert [records.OUTCOMES[i] for i in found["outcome"]] == [
        "good",
        "poor_mask",
        "wrong_object",
        "unparseable",
        "poor_mask",
    ]
    assert found["mask_iou"] == [0.81, round(100 / 525, 4), 0, 0, 0]
    assert found["box_iou"] == [0.81, round(100 / 525, 4), 0, 0, round(400 / 1500, 4)]
    assert found["text"] == [None, None, None, "I cannot see it.", None]
    assert found["think"][3] is None and found["mask"][3] is None and found["points"][3] == []
    assert found["points"][0][1] == [round(50 * 320 / 60, 1), round(5 * 213 / 40, 1), 0]


@pytest.mark.parametrize(
    ("answered", "iou", "overlap", "outcome"),
    [
        (True, 0.5, 0.5, "good"),
        (True, 0.4999, 0.4999, "poor_mask"),
        (True, 0.0, 0.1, "poor_mask"),
        (True, 0.0999, 0.0999, "wrong_object"),
        (False, 0.0, 0.0, "unparseable"),
    ],
)
def test_outcomes_at_their_bounds(answered: bool, iou: float, overlap: float, outcome: str) -> None:
    assert records.judge(answered, iou, overlap) == outcome


def test_ignored_pixels_are_ground_truth(tmp_path: Path) -> None:
    ignore = square(30, 10, 20)
    one = sample(0, tmp_path, ignore=encode_mask(ignore))
    answers = records.answers(samples_table([one]), predictions_table([answer(0, TRUTH)]))
    assert answers["mask_iou"] == [0.5]
    assert (records.ground_truth(one) == TRUTH | ignore).all()


def test_lisa_grounding_is_judged_by_its_boxes(tmp_path: Path) -> None:
    samples = samples_table([sample(i, tmp_path, dataset="lisa_grounding") for i in range(2)])
    given = [
        answer(0, None, box=[10.0, 10.0, 30.0, 30.0], status="ok"),
        answer(1, GOOD, box=None, status="missing_box"),
    ]
    assert records.measure_of(samples) == "box_iou"
    found = records.answers(samples, predictions_table(given))
    assert [records.OUTCOMES[i] for i in found["outcome"]] == ["good", "unparseable"]


def fill(path: str, frame: tuple[int, int]) -> Mask:
    """The path rasterised in its frame."""
    polygons = []
    for piece in re.findall(r"M([^z]*)z", path):
        start, _, steps = piece.partition("l")
        moves = [int(number) for number in steps.split()]
        corners = [[int(number) for number in start.split(",")]]
        corners += [list(pair) for pair in zip(moves[::2], moves[1::2], strict=True)]
        polygons.append(np.cumsum(corners, axis=0).astype(np.int32))
    canvas = np.zeros(frame[::-1], np.uint8)
    cv2.fillPoly(canvas, polygons, 1)  # several at once: even-odd
    return canvas.astype(bool)


def disc(radius: int) -> Mask:
    y, x = np.mgrid[:480, :640]
    return (x - 300) ** 2 + (y - 200) ** 2 < radius**2


@pytest.mark.parametrize("mask", [TRUTH, disc(150), disc(150) & ~disc(70), disc(60) | ~disc(190)])
def test_outlines_enclose_their_masks(mask: Mask) -> None:
    frame = frame_size(mask.shape[1], mask.shape[0])
    scaled = cv2.resize(mask.astype(np.uint8), frame, interpolation=cv2.INTER_NEAREST)
    assert mask_iou(fill(outline(mask), frame), scaled.astype(bool)) > 0.97


def test_outline_of_nothing_and_of_one_pixel() -> None:
    assert outline(np.zeros((40, 60), bool)) == ""
    one = np.zeros((320, 320), bool)
    one[7, 5] = True
    assert outline(one) == "M5,7h1v1h-1z"


def test_large_images_are_made_small_and_small_ones_are_not_made_large(tmp_path: Path) -> None:
    for size, expected in ((640, 480), (320, 240)), ((60, 40), (60, 40)):
        Image.new("RGB", size, (200, 30, 30)).save(tmp_path / "image.png")
        data = thumbnail(tmp_path / "image.png", *size, "s0")
        with Image.open(BytesIO(data)) as image:
            assert (image.format, image.size) == ("WEBP", expected)


def thing(shape: str, color: str, left: float) -> Thing:
    corners = ((left, 10.0), (left + 20, 10.0), (left + 20, 30.0), (left, 30.0))
    return Thing(shape, color, 10, (left + 10, 20), corners)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([thing("star", "blue", 80)], set()),
        ([thing("circle", "blue", 80)], {"several"}),
        ([thing("star", "red", 80)], {"distractors"}),
        ([thing("circle", "red", 80)], {"several"}),
        ([thing("circle", "blue", 80), thing("star", "red", 110)], {"several", "distractors"}),
    ],
)
def test_the_drawn_world_says_what_else_is_there(
    others: list[Thing], expected: set[Kind], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scene = Scene(160, 60, (*others, thing("circle", "red", 10)), 0)
    monkeypatch.setattr(kinds, "draw_again", lambda ids, seed: dict.fromkeys(ids, scene))
    rows = [sample(0, tmp_path), sample(1, tmp_path, box=[0.0] * 4)]
    assert kinds.drawn_kinds(samples_table(rows), 0) == [expected, set()]


def test_boundaries_are_complex_where_the_outline_is_far_from_convex() -> None:
    star = np.zeros((100, 100), np.uint8)
    angles = -np.pi / 2 + np.arange(10) * np.pi / 5
    radii = np.where(np.arange(10) % 2, 18, 42)
    corners = 50 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    cv2.fillPoly(star, [corners.astype(np.int32)], 1)
    assert kinds.has_complex_boundary(star.astype(bool))
    assert not kinds.has_complex_boundary(disc(100))
    assert not kinds.has_complex_boundary(TRUTH)
    assert not kinds.has_complex_boundary(np.zeros((4, 4), bool))


def write_inputs(root: Path, text: str | None = None) -> list[str]:
    """Two benchmarks with two runs and one; the command's arguments without its output.

    `text` stands for every text, if it is given.
    """
    asked = {} if text is None else {"query": text}
    said = {} if text is None else {"think": text, "label": text, "text": text}
    masks = (GOOD, POOR, WRONG, None)
    tables = {
        "samples": samples_table([sample(i, root, **asked) for i in range(4)]),
        "one": predictions_table([answer(i, mask, **said) for i, mask in enumerate(masks)]),
        "two": predictions_table([answer(i, TRUTH) for i in range(4)]),
    }
    for name, table in tables.items():
        write_table(root / f"{name}.parquet", table)
    (root / "kinds.yaml").write_text("scales: {paper: {first: {part: [s1]}}}")
    arguments = ["--scale", "paper", "--root", root, "--kinds", root / "kinds.yaml"]
    for name in ("first", "second"):
        arguments += ["--samples", name, root / "samples.parquet"]
        arguments += ["--predictions", name, "sam_r1", root / "one.parquet"]
    arguments += ["--predictions", "first", "base", root / "two.parquet"]
    return [str(argument) for argument in arguments]


def draw(arguments: list[str], output: Path) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["draw_gallery", *arguments, "--output", str(output)])
        draw_gallery.main()
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
    assert [benchmark["runs"] for benchmark in data["meta"]["benchmarks"]] == [
        ["sam_r1", "base"],
        ["sam_r1"],
    ]
    assert len(data["images-0"]) == 4  # both benchmarks show them
    part = kinds.KINDS.index("part")
    assert data["questions-0"]["kinds"] == [[], [part], [], []]
    assert data["questions-1"]["kinds"] == [[], [], [], []]
    assert data["answers-0-1"]["mask_iou"] == [1.0] * 4
    assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org/)", page)


def test_no_text_ends_a_block(tmp_path: Path) -> None:
    page = draw(write_inputs(tmp_path, HOSTILE), tmp_path / "page.html")
    data = blocks(page)
    assert data["questions-0"]["query"] == [HOSTILE] * 4
    assert data["answers-0-0"]["think"][0] == data["answers-0-0"]["text"][3] == HOSTILE
    assert page.count("<script") == page.count("</script>") == len(data) + 1
    assert "<!--" not in page and "<img" not in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scales: {paper: {first: {part: [s9]}}}", 'scales.paper.first.part: "s9" is none of'),
        ("scales: {paper: {first: {whole: [s1]}}}", "kinds.yaml: scales.paper.first"),
        ("scales: {paper: {frist: {part: [s1]}}}", "scales.paper.frist: is none of the benchmarks"),
        ("[]", "must be a mapping"),
    ],
)
def test_what_a_person_says_wrongly_of_kinds_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    arguments = write_inputs(tmp_path)
    (tmp_path / "kinds.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        draw(arguments, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_an_answer_that_is_missing_names_run_and_benchmark(tmp_path: Path) -> None:
    arguments = write_inputs(tmp_path)
    write_table(tmp_path / "two.parquet", predictions_table([answer(0, TRUTH)]))
    with pytest.raises(UserError, match="run 'base' on 'first': 3 of 4 samples have no answer"):
        draw(arguments, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
