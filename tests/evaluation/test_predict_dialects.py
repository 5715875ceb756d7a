"""From an answer in each dialect to SAM's prompt in pixels of the original, and to a mask."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pytest
from made_up_samples import sample_row, sample_table
from PIL import Image
from predict_world import SIDE, random_segmenter, stage
from scoring import score, values_of

from samr1.config.names import DialectName
from samr1.core import schemas
from samr1.data.masks import decode_mask, encode_mask
from samr1.data.resizing import ImageStore, resize_images
from samr1.evaluation import predict as module
from samr1.evaluation.answers import list_objects
from samr1.evaluation.predict import predict
from samr1.evaluation.responses import Response
from samr1.evaluation.score import Protocol
from samr1.policy.model import Policy
from samr1.segmenter import Prompt, Segmenter
from samr1.segmenter.answer_masks import PROMPTS_TOGETHER

WIDTH, HEIGHT = 70, 42  # of the original: 2.5 and 1.5 of its pixels to one of the policy's

THOUGHT = "<think> there </think>"
BOX, POINT = (17.5, 10.5, 52.5, 21.0), (35.0, 15.0, 1)  # of (7, 7, 21, 14) and (14, 10)
WHOLE = (18.0, 11.0, 53.0, 21.0)  # the same in whole pixels, halves up
EVEN = (18.0, 10.0, 52.0, 21.0)  # and as Seg-Zero rounds, halves to even
# What is said, and the prompts that it comes to.
SAID: dict[DialectName, tuple[str, list[Prompt]]] = {
    "sam_r1": (
        '<answer>{"bbox_2d": [7, 7, 21, 14], "point_2d": [14, 10], "label": "cup"}</answer>',
        [Prompt(BOX, (POINT,))],
    ),
    "sam_r1_points": (
        '<answer>{"bbox_2d": [7, 7, 21, 14], "points": [{"point_2d": [14, 10], "value": 1}, '
        '{"point_2d": [0, 28], "value": 0}], "label": "cup"}</answer>',
        [Prompt(BOX, (POINT, (0.0, 42.0, 0)))],
    ),
    "sam_r1_1000_list": (
        '<answer>[{"bbox_2d": [250, 250, 750, 500], "point_2d": [500, 357.142857], "label": "cup"},'
        '{"bbox_2d": [0, 500, 500, 1000], "point_2d": [100, 500], "label": "cup"}]</answer>',
        [Prompt(BOX, (POINT,)), Prompt((0.0, 21.0, 35.0, 42.0), ((7.0, 21.0, 1),))],
    ),
    "seg_zero": (
        '<answer>{"bbox": [7, 7, 21, 14], "points_1": [14, 10], "points_2": [9, 9]}</answer>',
        [Prompt(EVEN, (POINT, (22.0, 14.0, 1)))],
    ),
    "vision_reasoner": (
        '<answer>[{"bbox_2d": [7, 7, 21, 14], "point_2d": [14, 10]}, '
        '{"bbox_2d": [0, 14, 10, 28], "point_2d": [4, 20]}]</answer>',
        [Prompt(WHOLE, (POINT,)), Prompt((0.0, 21.0, 25.0, 42.0), ((10.0, 30.0, 1),))],
    ),
    "visual_rft": ("<answer>(250,250),(750,500)</answer>", [Prompt(BOX)]),
    "vlm_r1": (
        '<answer>{"bbox_2d": [7, 7, 21, 14], "point_2d": [14, 10]}</answer>',
        [Prompt(BOX)],
    ),
    "qwen": (
        '```json\n[{"bbox_2d": [7, 7, 21, 14], "label": "cup"}, '
        '{"bbox_2d": [0, 14, 10, 28], "label": "cup"}]\n```',
        [Prompt(BOX), Prompt((0.0, 21.0, 25.0, 42.0))],
    ),
}


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return random_segmenter()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table, ImageStore]:
    """One image and one question about it."""
    root = tmp_path_factory.mktemp("data")
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "a.png")
    samples = sample_table([sample_row("a.png", (WIDTH, HEIGHT), "cup")])
    resize_images(samples, root, SIDE, root / "images.parquet")
    return root, samples, ImageStore(root / "images.parquet")


@pytest.fixture
def predict_said(
    world: tuple[Path, pa.Table, ImageStore], segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, DialectName], pa.Table]:
    """Predict with a policy that has said something already."""
    root, samples, store = world

    def run(text: str, dialect: DialectName) -> pa.Table:
        monkeypatch.setattr(module, "respond", lambda *_: (one for one in [{0: Response(text, 5)}]))
        policy = cast(Policy, None)
        asked = stage().model_copy(update={"dialect": dialect})
        return predict(samples, store, root, policy, segmenter, asked)

    return run


@pytest.mark.parametrize("dialect", SAID)
def test_answers_reach_the_segmenter_as_the_public_code_gives_them(
    dialect: DialectName,
    predict_said: Callable[[str, DialectName], pa.Table],
    world: tuple[Path, pa.Table, ImageStore],
    segmenter: Segmenter,
) -> None:
    said, prompts = SAID[dialect]
    found = predict_said(THOUGHT + said, dialect).to_pylist()
    image = np.array(Image.open(world[0] / "a.png"))
    masks, scores = segmenter.predict(segmenter.embed(image), prompts)
    assert found[0]["status"] == "ok"
    for one, prompt in zip(list_objects(found[0]), prompts, strict=True):
        assert one["box"] == pytest.approx(prompt.box)
        points = [(point["x"], point["y"], point["value"]) for point in one["points"]]
        assert points == [pytest.approx(point) for point in prompt.points]
    assert (decode_mask(found[0]["mask"]) == masks.any(dim=0).numpy()).all()
    assert found[0]["sam_score"] == pytest.approx(float(scores.min()), rel=1e-5)
    if len(prompts) > 1:
        assert (masks[0] != masks[1]).any()


@pytest.mark.parametrize("pixels", [2**27, 5 * WIDTH * HEIGHT])
def test_many_objects_are_united_in_parts(
    predict_said: Callable[[str, DialectName], pa.Table],
    world: tuple[Path, pa.Table, ImageStore],
    segmenter: Segmenter,
    pixels: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = import_module("samr1.segmenter.answer_masks")
    monkeypatch.setattr(parts, "PIXELS_TOGETHER", pixels)
    boxes = [[x, y, x + 3, y + 3] for x in range(0, 25, 2) for y in range(0, 25, 2)]
    assert len(boxes) > 2 * PROMPTS_TOGETHER
    found = predict_said(str(boxes), "qwen").to_pylist()[0]
    image = np.array(Image.open(world[0] / "a.png"))
    scale = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT]) / SIDE
    prompts = [Prompt(tuple(box * scale)) for box in np.array(boxes)]
    masks, scores = segmenter.predict(segmenter.embed(image), prompts)
    assert (decode_mask(found["mask"]) != masks.any(dim=0).numpy()).mean() < 1e-3
    assert found["sam_score"] == pytest.approx(float(scores.min()), rel=1e-4)


def test_nothing_there_is_an_empty_mask_that_the_protocols_score(
    predict_said: Callable[[str, DialectName], pa.Table],
    world: tuple[Path, pa.Table, ImageStore],
) -> None:
    found = predict_said("<think> none </think><answer>[]</answer>", "vision_reasoner")
    row = found.to_pylist()[0]
    assert (row["status"], row["box"], row["sam_score"]) == ("nothing_there", None, None)
    assert decode_mask(row["mask"]).shape == (HEIGHT, WIDTH)
    assert not decode_mask(row["mask"]).any()

    def figures(samples: pa.Table, protocol: Protocol) -> dict[str, float]:
        return values_of(score(samples, found, protocol))

    there = world[1].set_column(9, "box", pa.array([[0.0, 0.0, 9.0, 9.0]], schemas.BOX))
    nothing = encode_mask(np.zeros((HEIGHT, WIDTH)))
    empty = there.set_column(10, "mask", pa.array([nothing], schemas.RLE))
    assert figures(there, "seg_zero") == figures(there, "lisa")
    assert set(figures(there, "lisa").values()) == {0}  # and it is read
    assert figures(empty, "seg_zero")["giou"] == 0 and figures(empty, "lisa")["giou"] == 1
    assert figures(there, "rec") == {"box_iou": 0, "box_accuracy_0.5": 0, "unparseable": 0}
