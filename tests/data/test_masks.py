"""Rasterising, run-length encoding, boxes and IoU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from data_world import SQUARE, polygon, shape
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


def test_shapes_are_filled_with_their_outline_and_points_are_truncated() -> None:
    whole, _ = masks.rasterise_shapes([shape(SQUARE)], 30, 40)
    fractional = [[x + 0.9, y + 0.9] for x, y in SQUARE]
    truncated, ignore = masks.rasterise_shapes([shape(fractional)], 30, 40)
    assert masks.mask_box(whole) == [10, 5, 20, 15]  # 19 and 14 are drawn
    assert whole.sum() == 100
    np.testing.assert_array_equal(whole, truncated)
    assert not ignore.any()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inner_label", ["Ignore_area", "target"])
def test_the_smaller_shape_is_drawn_over_the_larger_whatever_their_order(
    inner_label: str, reverse: bool
) -> None:
    outer_label = "ignore" if inner_label == "target" else "target"
    inner = [[12, 8], [15, 8], [15, 11], [12, 11]]  # 16 pixels
    shapes = [shape(SQUARE, outer_label), shape(inner, inner_label)]
    target, ignore = masks.rasterise_shapes(shapes[::-1] if reverse else shapes, 30, 40)
    small, large = (target, ignore) if inner_label == "target" else (ignore, target)
    assert (small.sum(), large.sum()) == (16, 84)
    assert small[8:12, 12:16].all()


def test_area_is_what_is_inside_the_image() -> None:
    """LISA measures the drawn pixels: a huge shape that is mostly outside is drawn last."""
    corner = [[38, 28], [500, 28], [500, 500], [38, 500]]
    target, ignore = masks.rasterise_shapes(
        [shape(corner, "ignore"), shape([[30, 20], [39, 20], [39, 29], [30, 29]])], 30, 40
    )
    assert (ignore.sum(), target.sum()) == (4, 96)


def test_of_equal_areas_the_earlier_shape_wins() -> None:
    target, ignore = masks.rasterise_shapes([shape(SQUARE), shape(SQUARE, "ignore")], 30, 40)
    assert target.sum() == 100
    assert not ignore.any()


def test_flags_and_no_shapes_leave_an_empty_mask() -> None:
    for shapes in ([], [shape(SQUARE, "FLAG")]):
        target, ignore = masks.rasterise_shapes(shapes, 30, 40)
        assert not target.any()
        assert not ignore.any()
        assert masks.mask_box(target) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "points", [None, [], [[1]], [[1, 2], [3, "4"]], [[1, float("nan")]], [[1, 1e12]], [[True, 2]]]
)
def test_bad_points_are_refused(points: Any) -> None:
    with pytest.raises(UserError, match="a shape has no label, no points"):
        masks.rasterise_shapes([{"label": "target", "points": points}], 30, 40)


def test_polygons_are_united() -> None:
    both = [polygon(10, 5, 20, 15), polygon(15, 5, 25, 15)]
    mask = masks.segmentation_to_mask(both, 30, 40)
    assert masks.mask_box(mask) == [10, 5, 25, 15]
    assert mask.sum() == 150


def test_plain_and_compressed_runs_give_the_polygons_mask() -> None:
    mask = masks.segmentation_to_mask([polygon(10, 5, 20, 15)], 30, 40)
    columns = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(columns)) + 1
    plain = np.diff([0, *edges, columns.size]).tolist()  # starts with background
    compressed = masks.encode_mask(mask)["counts"].decode()
    for counts in (plain, compressed):
        again = masks.segmentation_to_mask({"size": [30, 40], "counts": counts}, 30, 40)
        np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "has no segmentation"),
        ([], "has no segmentation"),
        ("polygon", "has no segmentation"),
        ([[1, 2, 3, 4]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, 6, 7]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, None]], "not three or more x, y pairs"),
        ([[1, 2, 3, 4, 5, 1e30]], "not three or more x, y pairs"),
        ([1, 2, 3, 4, 5, 6], "not three or more x, y pairs"),
        ([polygon(100, 100, 110, 110)], "covers no pixel"),
        ({"size": [30, 40], "counts": [1200]}, "covers no pixel"),
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
