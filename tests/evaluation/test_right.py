"""Which object an answer means, by masks small enough to count by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scoring import score, values_of

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data.masks import Mask, encode_mask
from samr1.evaluation.compare import compare
from samr1.evaluation.right import Points, is_right_object, is_right_point, shown_point
from samr1.evaluation.score import measure_overlaps

# A plate on a table, and a cup beside it: 3×6 pixels.
TABLE, PLATE, CUP = "tttttt/tttttt/......", ".pp.../.pp.../......", "....../....../....cc"
NOTHING = "....../....../......"


def mask(rows: str) -> Mask:
    return np.array([[mark != "." for mark in row] for row in rows.split("/")])


def right(truth: str, predicted: str, *objects: str) -> bool | None:
    return is_right_object(mask(truth), mask(predicted), [mask(one) for one in objects])


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        (PLATE, PLATE, True),  # though the table covers every pixel of it too
        (PLATE, "ppp.../ppp.../ppp...", True),  # too large
        (PLATE, ".p..../....../......", True),  # too small
        (PLATE, TABLE, False),
        (PLATE, "ppppp./ppppp./......", False),  # so large that it is the table
        (PLATE, CUP, False),
        (TABLE, PLATE, False),
        (PLATE, "...p../...p../......", False),  # beside it, on the table
        (PLATE, "....../....../p.....", False),  # on none
        (PLATE, NOTHING, False),
        (NOTHING, PLATE, None),
    ],
)
def test_an_answer_is_of_the_object_that_it_overlaps_most(
    truth: str, predicted: str, expected: bool | None
) -> None:
    assert right(truth, predicted, TABLE, PLATE, CUP) is expected
    assert right(truth, predicted, CUP, PLATE, TABLE) is expected


def test_a_truth_that_is_drawn_otherwise_is_of_the_object_that_it_overlaps_most() -> None:
    drawn = ".ppp../.ppp../......"  # with its outline, as ReasonSeg's are
    assert right(drawn, PLATE, TABLE, PLATE, CUP) is True
    assert right(PLATE, PLATE) is None  # nobody annotated any


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 0, 1)], True),
        ([(2.99, 1.99, 1)], True),  # in the pixel, not on its corner
        ([(3, 1, 1)], False),
        ([(3, 1, 0), (1, 1, 1), (5, 2, 1)], True),  # the first of value 1
        ([(-0.5, 0, 1)], False),
        ([(1, 3.5, 1)], False),  # below the image
        ([(float("nan"), 1, 1)], False),
    ],
)
def test_a_point_lies_in_the_target_or_not(points: Points, expected: bool) -> None:
    for predicted in (PLATE, CUP, NOTHING):  # whatever its mask
        assert is_right_point(mask(PLATE), mask(predicted), points) is expected
    assert is_right_point(mask(CUP), mask(PLATE), [(6, 3, 1)]) is True  # on the image's edge


@pytest.mark.parametrize("points", [[], [(1, 1, 0)]])
def test_a_mask_without_a_point_shows_its_innermost_pixel(points: Points) -> None:
    assert is_right_point(mask(PLATE), mask(PLATE), points) is True
    assert is_right_point(mask(PLATE), mask(CUP), points) is False
    assert is_right_point(mask(PLATE), mask(NOTHING), points) is False
    assert is_right_point(mask(NOTHING), mask(PLATE), points) is None
    ring = mask("oooooooo/o......o/oooooooo")
    assert is_right_point(ring, ring, points) is True  # its centre lies outside
    blot = mask("o....../.oooo../.oooo../.oooo../.oooo../......o")
    assert shown_point(points, blot) in [(2, 2), (3, 2), (2, 3), (3, 3)]
    assert shown_point(points, np.ones((5, 3), bool)) == (1, 1)


def plain_right(truth: Mask, predicted: Mask, objects: list[Mask]) -> bool | None:
    """The twin: as sets of pixels, by fractions of whole numbers."""

    def pixels(one: Mask) -> set[tuple[int, int]]:
        return {(int(y), int(x)) for y, x in zip(*np.nonzero(one), strict=True)}

    def place(one: Mask) -> int | None:
        shares = [
            len(pixels(one) & pixels(other)) / max(len(pixels(one) | pixels(other)), 1)
            for other in objects
        ]
        return shares.index(max(shares)) if max(shares) > 0 else None

    return None if place(truth) is None else place(predicted) == place(truth)


def test_it_is_what_sets_of_pixels_say() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        masks = [np.asarray(rng.random((5, 6)) < rng.uniform(0, 0.6)) for _ in range(5)]
        truth, predicted, *objects = masks
        found.append(is_right_object(truth, predicted, objects))
        assert found[-1] is plain_right(truth, predicted, objects)
    assert {True, False, None} == set(found)


def samples(*truths: str) -> pa.Table:
    rows = [
        dict.fromkeys(schemas.SAMPLES.names)
        | {"sample_id": f"s{i}", "image_id": f"image{i // 2}", "width": 6, "height": 3}
        | {"mask": encode_mask(mask(truth))}
        for i, truth in enumerate(truths)
    ]
    return pa.Table.from_pylist(rows, schemas.SAMPLES)


def objects(**images: Sequence[str]) -> pa.Table:
    rows = [
        {"image_id": image, "mask": encode_mask(mask(one))}
        for image, drawn in images.items()
        for one in drawn
    ]
    return pa.Table.from_pylist(rows, schemas.OBJECTS)


def predictions(*answers: tuple[str | None, Sequence[tuple[float, float, int]]]) -> pa.Table:
    rows = [
        dict.fromkeys(schemas.PREDICTIONS.names)
        | {
            "sample_id": f"s{i}",
            "mask": drawn and encode_mask(mask(drawn)),
            "points": [dict(zip(("x", "y", "value"), point, strict=True)) for point in given],
        }
        for i, (drawn, given) in enumerate(answers)
    ]
    return pa.Table.from_pylist(rows, schemas.PREDICTIONS)


ASKED = (PLATE, CUP, PLATE, NOTHING)
KNOWN = objects(image0=(TABLE, PLATE, CUP), image1=(PLATE, TABLE))
ANSWERS = (
    (".p..../.p..../......", [(1.5, 1.5, 1)]),  # right, IoU 2 / 4
    (PLATE, [(4.5, 2.5, 1)]),  # the wrong mask, though its point is right
    (None, [(1.5, 1.5, 1)]),  # a point without a box: the answer could not be read
    (PLATE, [(1.5, 1.5, 1)]),  # nothing is to be found
)


@pytest.mark.parametrize("protocol", ["seg_zero", "lisa"])
def test_what_and_how_by_hand(protocol: Any) -> None:
    asked, answered = samples(*ASKED), predictions(*ANSWERS)
    overlaps = measure_overlaps(asked, answered, protocol, objects=KNOWN)
    assert overlaps["right_object"].to_pylist() == [True, False, False, None]
    assert overlaps["right_point"].to_pylist() == [True, True, False, None]
    found = values_of(score(asked, answered, protocol, objects=KNOWN))
    assert found["right_object"] == pytest.approx(1 / 3)
    assert found["giou_right"] == pytest.approx(0.5, abs=1e-5)
    assert found["right_point"] == pytest.approx(2 / 3)
    assert found["giou_right_point"] == pytest.approx((0.5 + 0) / 2, abs=1e-5)
    # They change no other figure, and without the objects the first two are not there.
    without = values_of(score(asked, answered, protocol))
    assert set(found) - set(without) == {"right_object", "giou_right"}
    assert without == {name: found[name] for name in without}


def test_images_whose_objects_are_not_known_do_not_count() -> None:
    known = objects(image0=(TABLE, PLATE, CUP))
    overlaps = measure_overlaps(samples(*ASKED), predictions(*ANSWERS), "lisa", objects=known)
    assert overlaps["right_object"].to_pylist() == [True, False, None, None]


def test_predictions_of_masks_alone_and_objects_of_another_size() -> None:
    asked, answered = samples(*ASKED), predictions(*ANSWERS)
    bare = answered.select(["sample_id", "mask"])
    overlaps = measure_overlaps(asked, bare, "seg_zero", objects=KNOWN)
    assert overlaps["right_point"].to_pylist() == [True, False, False, None]
    small = [{"image_id": "image0", "mask": encode_mask(np.ones((2, 2)))}]
    with pytest.raises(UserError, match=r"image image0.*the object's mask has the size \[2, 2\]"):
        measure_overlaps(
            asked, answered, "lisa", objects=pa.Table.from_pylist(small, schemas.OBJECTS)
        )


def test_runs_are_compared_in_what_both_have() -> None:
    asked = samples(*ASKED)
    ours = measure_overlaps(asked, predictions(*ANSWERS), "seg_zero", "ours", objects=KNOWN)
    worse = predictions(*[(None, [])] * 4)
    theirs = measure_overlaps(asked, worse, "seg_zero", "theirs", objects=KNOWN)
    gains = values_of(compare({0: (ours, theirs)}, resamples=10, bootstrap_seed=0))
    assert gains["right_object"] == pytest.approx(1 / 3)
    assert gains["right_point"] == pytest.approx(2 / 3)
    theirs = measure_overlaps(asked, worse, "seg_zero", "theirs")
    gains = values_of(compare({0: (ours, theirs)}, resamples=10, bootstrap_seed=0))
    assert "right_point" in gains and "right_object" not in gains
