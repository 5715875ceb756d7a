"""Rasterising, run-length encoding, boxes and IoU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from data_world import plain_runs, polygon
from pycocotools import mask as coco

from samr1.core.errors import UserError
from samr1.data import masks


def random_mask(seed: int, height: int, width: int) -> masks.Mask:
    rng = np.random.default_rng(seed)
    # Blocks as well as dots, so that long runs and negative differences both appear.
    coarse = rng.random((-(-height // 7), -(-width // 7))) < 0.5
    fine = rng.random((height, width)) < 0.05
    return np.kron(coarse, np.ones((7, 7), bool))[:height, :width] ^ fine


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # pycocotools on NumPy 2
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (301, 40), (480, 640)])
def test_a_mask_survives_encoding(size: tuple[int, int]) -> None:
    mask = random_mask(0, *size)
    rle = masks.encode_mask(mask)
    assert rle["size"] == list(size)
    np.testing.assert_array_equal(masks.decode_mask(rle), mask)
    np.testing.assert_array_equal(coco.decode(rle).astype(bool), mask)  # anybody else's reading
    as_text = {"size": rle["size"], "counts": rle["counts"].decode()}
    np.testing.assert_array_equal(masks.decode_mask(as_text), mask)


def test_every_value_that_is_not_zero_is_encoded_as_mask() -> None:
    rle = masks.encode_mask(np.array([[0, 255, 1, 256]]))
    assert masks.decode_mask(rle).tolist() == [[False, True, True, True]]


@pytest.mark.parametrize(
    "counts", [b"", b"`U1`U1", b"`U", b"\x00\xff", "é", "\ud800", b"P", b"oooooooooooooo1", b"@1"]
)
def test_runs_that_do_not_fit_are_refused_before_they_reach_c_code(counts: Any) -> None:
    with pytest.raises(UserError, match=r"size \[30, 40\] has a run-length encoding"):
        masks.decode_mask({"size": [30, 40], "counts": counts})


def test_polygons_are_united() -> None:
    both = [polygon(10, 5, 20, 15), polygon(15, 5, 25, 15)]
    mask = masks.segmentation_to_mask(both, 30, 40)
    assert masks.mask_box(mask) == [10, 5, 25, 15]
    assert mask.sum() == 150


def test_plain_and_compressed_runs_give_the_polygons_mask() -> None:
    mask = masks.segmentation_to_mask([polygon(10, 5, 20, 15)], 30, 40)
    compressed = masks.encode_mask(mask)["counts"].decode()
    for counts in (plain_runs(mask), compressed):
        again = masks.segmentation_to_mask({"size": [30, 40], "counts": counts}, 30, 40)
        np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "has no segmentation"),
        ([], "has no segmentation"),
        ("polygon", "neither polygons nor run lengths"),
        ([[1, 2, 3, 4]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, 6, 7]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, None]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, 1e30]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, 10**400]], "not three or more x, y pairs"),
        ([1, 2, 3, 4, 5, 6], "not three or more x, y pairs"),
        ([polygon(100, 100, 110, 110)], "polygons cover no pixel of the image's 40×30"),
        ([polygon(0.1, 0.2, 0.5, 0.9)], "all lie between 0 and 1"),
        ([[0, 1, 1], [1, 1, 0]], "2 rows of 3 pixels, and its image has 30 of 40"),
        ([[0, 255] * 20] * 20, "20 rows of 40 pixels"),
        ([[0.0, 255.0] * 20] * 20, "20 rows of 40 pixels"),
        ([[0, 254] * 20] * 30, "rows of pixels that are not 0 and 1, or 0 and 255"),
        ([[0, 3] * 20] * 30, "rows of pixels that are not"),
        ([[0, 255] * 20] * 29 + [[0, 128] * 20], "rows of pixels that are not"),
        ([[0, 1] * 20] * 29 + [[0, 255] * 20], "rows of pixels that are not"),
        ([[0, 1] * 20] * 29 + [[0, [10**400]] * 20], "rows of pixels that are not"),
        ([[1, 2, 3, 4], [5, 6]], "not three or more x, y pairs"),
        ([[0, 0, 90_000, 90_000] * 9], "outline is .* pixels long"),
        ([[0, 0, 90_000, 90_000] * 2] * 5, "outline is .* pixels long"),
        ([{"size": [30, 40], "counts": [0, 1200]}] * 900_000, "its 900000 run lengths are too ma"),
        ({"size": [40, 30], "counts": [0, 1200]}, r"has the size \[40, 30\]"),
        ({"size": [30, 40], "counts": [0, 1300]}, "do not add up"),
        ({"size": [30, 40], "counts": [-100, 1300]}, "not whole numbers"),
        ({"size": [30, 40], "counts": None}, "not whole numbers"),
        ({"size": [30, 40], "counts": "abc"}, "does not fit"),
        ({"size": [30, 40]}, "not whole numbers"),
    ],
)
def test_a_bad_segmentation_is_one_sentence(segmentation: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        masks.segmentation_to_mask(segmentation, 30, 40)


def test_iou_of_masks_and_boxes() -> None:
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert masks.mask_iou(first, second) == 0
    first[:2, :2] = second[:2, 1:3] = True
    assert masks.mask_overlap(first, second) == (2, 6)
    assert masks.mask_iou(first, second) == pytest.approx(1 / 3)
    assert masks.box_iou(masks.mask_box(first), masks.mask_box(second)) == pytest.approx(1 / 3)
    assert masks.box_iou([0, 0, 1, 1], [2, 2, 3, 3]) == 0
    assert masks.box_iou([1, 1, 0, 0], [1, 1, 0, 0]) == 0  # turned over: no area
