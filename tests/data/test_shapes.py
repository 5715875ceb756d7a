"""Drawing ReasonSeg's shapes: polygons as LISA does, and labelme's other kinds."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from data_world import SQUARE, shape
from PIL import Image

from samr1.core.errors import UserError
from samr1.data import masks
from samr1.data.shapes import first_shape_box, rasterise_shapes


def test_shapes_are_filled_with_their_outline_and_points_are_truncated() -> None:
    whole, _ = rasterise_shapes([shape(SQUARE)], 30, 40)
    fractional = [[x + 0.9, y + 0.9] for x, y in SQUARE]
    truncated, ignore = rasterise_shapes([shape(fractional)], 30, 40)
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
    target, ignore = rasterise_shapes(shapes[::-1] if reverse else shapes, 30, 40)
    small, large = (target, ignore) if inner_label == "target" else (ignore, target)
    assert (small.sum(), large.sum()) == (16, 84)
    assert small[8:12, 12:16].all()


def test_area_is_what_is_inside_the_image() -> None:
    """LISA measures the drawn pixels: a huge shape that is mostly outside is drawn last."""
    corner = [[38, 28], [500, 28], [500, 500], [38, 500]]
    target, ignore = rasterise_shapes(
        [shape(corner, "ignore"), shape([[30, 20], [39, 20], [39, 29], [30, 29]])], 30, 40
    )
    assert (ignore.sum(), target.sum()) == (4, 96)


def test_of_equal_areas_the_earlier_shape_wins() -> None:
    target, ignore = rasterise_shapes([shape(SQUARE), shape(SQUARE, "ignore")], 30, 40)
    assert target.sum() == 100
    assert not ignore.any()


def draw_plainly(shapes: list[dict[str, Any]]) -> np.ndarray:
    """The twin: every shape on a whole canvas of its own, [h, w], then painted by its area."""
    drawn = []
    for one in shapes:
        try:
            drawn.append(rasterise_shapes([one | {"label": "target"}], 30, 40)[0])
        except UserError:  # it lies beyond the image
            drawn.append(np.zeros((30, 40), bool))
    canvas = np.zeros((30, 40), np.uint8)
    for index in np.argsort([int(mask.sum()) for mask in drawn], kind="stable")[::-1]:
        canvas[drawn[index]] = 255 if "ignore" in shapes[index]["label"] else 1
    return canvas


@pytest.mark.parametrize("seed", range(30))
def test_a_shape_is_measured_as_on_a_canvas_of_its_own(seed: int) -> None:
    rng, shapes = np.random.default_rng(seed), [shape([[3, 3], [4.5, 3], [4, 4.9]])]
    for number in range(40):
        name, count = (("polygon", 5), ("polygon", 2), ("rectangle", 2), ("circle", 2))[number % 4]
        points = rng.uniform(-25, 65, 2) + rng.uniform(-12, 12, (count, 2))
        label = str(rng.choice(["ignore", "target"]))
        shapes.append(kind(name, points.tolist()) | {"label": label})
    plain = draw_plainly(shapes)
    target, ignore = rasterise_shapes(shapes, 30, 40)
    np.testing.assert_array_equal(target, plain == 1)
    np.testing.assert_array_equal(ignore, plain == 255)


def test_flags_and_no_shapes_leave_an_empty_mask() -> None:
    for shapes in ([], [shape(SQUARE, "FLAG")], [shape([], "flag")]):
        target, ignore = rasterise_shapes(shapes, 30, 40)
        assert not target.any()
        assert not ignore.any()
        assert masks.mask_box(target) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "points",
    [
        None,
        [],
        [[1]],
        [[1, 2], [3, "4"]],
        [[1, float("nan")]],
        [[1, 1e12]],
        [[1, 10**400]],
        [[True, 2]],
    ],
)
def test_bad_points_are_refused(points: Any) -> None:
    with pytest.raises(UserError, match="a shape has no label, no points"):
        rasterise_shapes([{"label": "target", "points": points}], 30, 40)


def kind(name: str, points: list[list[float]], **fields: Any) -> dict[str, Any]:
    return shape(points) | {"shape_type": name} | fields


def png(pixels: np.ndarray) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()


def test_a_rectangle_is_the_polygon_of_its_corners() -> None:
    whole, _ = rasterise_shapes([shape(SQUARE)], 30, 40)
    for corners in ([[10, 5], [19, 14]], [[19, 14], [10, 5]], [[19, 5], [10, 14]]):
        drawn, _ = rasterise_shapes([kind("rectangle", corners)], 30, 40)
        np.testing.assert_array_equal(drawn, whole)
    assert first_shape_box([kind("rectangle", [[19, 5], [10, 14]])]) == [10, 5, 19, 14]


def test_a_circle_has_its_centre_and_a_point_on_its_edge() -> None:
    circle = kind("circle", [[20, 15], [20, 7]])
    drawn, _ = rasterise_shapes([circle], 30, 40)
    assert masks.mask_box(drawn) == [12, 7, 29, 24]
    rows, columns = np.mgrid[:30, :40]
    distance = np.hypot(columns - 20, rows - 15)
    assert drawn[distance < 7.5].all() and not drawn[distance > 9].any()
    assert first_shape_box([circle]) == [12, 7, 28, 23]


def test_a_mask_lies_between_its_points_and_may_reach_over_the_edge() -> None:
    pixels = np.zeros((10, 10), np.uint8)  # labelme writes 0 and 1
    pixels[2:5, 3:9] = 1
    drawn, _ = rasterise_shapes([kind("mask", [[10, 5], [19, 14]], mask=png(pixels))], 30, 40)
    assert masks.mask_box(drawn) == [13, 7, 19, 10] and drawn.sum() == 18
    for left, top, seen in ((-5, -3, [0, 0, 4, 2]), (33, 26, [36, 28, 40, 30])):
        points = [[left, top], [left + 9, top + 9]]
        drawn, _ = rasterise_shapes([kind("mask", points, mask=png(pixels))], 30, 40)
        assert masks.mask_box(drawn) == seen


BAD = [
    (kind("line", [[10, 7], [20, 15]]), "a shape is a 'line', which has no area"),
    (kind("point", [[10, 7]]), "a shape is a 'point', which has no area"),
    (kind("linestrip", [[10, 7], [20, 15], [3, 3]]), "is a 'linestrip'"),
    (kind("points", SQUARE), "is a 'points'"),
    (kind("rectangle", SQUARE), "a rectangle has 4 points and not two"),
    (kind("circle", [[1, 2]]), "a circle has 1 points and not two"),
    (kind("mask", [[10, 7], [20, 15]], mask="iVBORw0KGgo="), "a shape's mask: not an image"),
    (kind("mask", [[10, 7], [20, 15]], mask="%%%"), "is not a PNG in base64"),
    (kind("mask", [[10, 7], [20, 15]]), "a shape's mask: not an image"),
    (kind("mask", [[20, 15], [10, 7]], mask=""), "not its upper left and lower right"),
    (
        kind("mask", [[10, 7], [20, 15]], mask=png(np.ones((3, 3), np.uint8))),
        "the image is 3×3 pixels and the one it masks 11×9",
    ),
    (shape([[100, 70], [120, 70], [120, 90]]), "leave no pixel of the target in the image's 40×30"),
    (shape([[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]), "all lie between 0 and 1"),
    (kind("mask", [[0, 0], [99_000, 99_000]]), "its 1 shapes are too large together; leave some"),
    (shape([[0, 0], [90_000, 90_000]] * 20), "outline is .* pixels long"),
]


@pytest.mark.parametrize(("bad", "told"), BAD)
def test_what_has_no_area_is_refused_by_name(bad: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        rasterise_shapes([bad], 30, 40)


def test_a_target_that_an_ignored_region_hides_is_refused() -> None:
    with pytest.raises(UserError, match="leave no pixel"):
        rasterise_shapes([shape(SQUARE, "ignore"), shape(SQUARE)], 30, 40)
    target, ignore = rasterise_shapes([shape(SQUARE, "ignore")], 30, 40)
    assert ignore.any() and not target.any()  # no target is there to be hidden
