"""Scoring, by masks small enough to count by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import call, exit_code
from data_world import ref, write_refer
from scoring import score, values_of

from samr1.cli import compare_runs, score_benchmark
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data import refer
from samr1.data.masks import encode_mask
from samr1.evaluation.compare import compare
from samr1.evaluation.score import PROTOCOLS, measure_overlaps

# 2×4 masks. "o" is on, "i" ignored.
SHAPE = (2, 4)


def mask(rows: str, mark: str = "o") -> dict[str, Any]:
    return encode_mask(np.array([[c == mark for c in row] for row in rows.split("/")]))


def samples(*truths: str, images: tuple[str, ...] | None = None, **columns: list[Any]) -> pa.Table:
    rows = [
        {
            "sample_id": f"s{i}",
            "dataset": "d",
            "split": "val",
            "image_id": images[i] if images else f"image{i}",
            "image_path": "a.jpg",
            "width": SHAPE[1],
            "height": SHAPE[0],
            "query": "q",
            "sentence_index": 0,
            "box": [0.0, 0.0, 2.0, 2.0],
            "mask": mask(truth),
            "ignore": mask(truth, "i") if "i" in truth else None,
            **{name: values[i] for name, values in columns.items()},
        }
        for i, truth in enumerate(truths)
    ]
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def predictions(*masks: str | None) -> pa.Table:
    """As another method would bring them: no more than is needed."""
    rows = [{"sample_id": f"s{i}", "mask": rows and mask(rows)} for i, rows in enumerate(masks)]
    schema = pa.schema([schemas.PREDICTIONS.field("sample_id"), schemas.PREDICTIONS.field("mask")])
    return pa.Table.from_pylist(rows, schema=schema)


def boxes(*values: list[float] | None) -> pa.Table:
    return pa.table({"sample_id": [f"s{i}" for i in range(len(values))], "box": values})


def one(truth: str, predicted: str | None, protocol: Any) -> dict[str, float]:
    return values_of(score(samples(truth), predictions(predicted), protocol))


# truth, prediction -> intersection and union as each protocol counts them
CASES = {
    "overlap": ("oo../oo..", ".oo./.oo.", (2, 6), (2, 6)),
    "equal": ("oo../....", "oo../....", (2, 2), (2, 2)),
    "apart": ("oo../....", "..oo/....", (0, 4), (0, 4)),
    "ignored pixels predicted": ("oii./....", "ooo./....", (3, 3), (1, 1)),
    "ignored pixels not predicted": ("oii./....", "o.../....", (1, 3), (1, 1)),
    "half of the ignored, and one beside": ("ooii/....", ".oo./o...", (2, 5), (1, 3)),
    "empty prediction": ("oo../....", "..../....", (0, 2), (0, 2)),
    "empty truth": ("..../....", "oo../....", (0, 2), (0, 2)),
    "unparseable": ("ooo./....", None, (0, 3), (0, 3)),
    "unparseable, with ignored pixels": ("ooi./....", None, (0, 3), (0, 2)),
}


@pytest.mark.parametrize("case", CASES)
def test_one_sample_by_hand(case: str) -> None:
    truth, predicted, (i0, u0), (i1, u1) = CASES[case]
    seg_zero, lisa = one(truth, predicted, "seg_zero"), one(truth, predicted, "lisa")
    assert seg_zero["giou"] == pytest.approx(i0 / u0, abs=1e-12)
    assert seg_zero["ciou"] == pytest.approx(i0 / u0, abs=1e-12)
    assert lisa["giou"] == pytest.approx(i1 / (u1 + 1e-5), abs=1e-12)
    assert lisa["ciou"] == pytest.approx(i1 / (u1 + 1e-10), abs=1e-12)
    assert seg_zero["unparseable"] == lisa["unparseable"] == (predicted is None)


@pytest.mark.parametrize("truth", ["..../....", "ii../...."])
@pytest.mark.parametrize("predicted", ["..../....", None])
def test_nothing_to_find_and_nothing_found(truth: str, predicted: str | None) -> None:
    assert one(truth, predicted, "seg_zero")["giou"] == 0
    lisa = one(truth, predicted, "lisa")
    assert (lisa["giou"], lisa["ciou"]) == (1, 0)  # cIoU: 0 / (0 + 1e-10)


def test_a_prediction_inside_the_ignored_pixels_of_an_empty_truth() -> None:
    # LISA sees two empty masks; Seg-Zero sees a target of two pixels, both found.
    assert one("ii../....", "oo../....", "lisa")["giou"] == 1
    seg_zero = one("ii../....", "oo../....", "seg_zero")
    assert (seg_zero["giou"], seg_zero["ciou"], seg_zero["unparseable"]) == (1, 1, 0)


def test_several_samples_by_hand() -> None:
    truths = samples("oo../oo..", "o.../....", "oooo/oooo")
    table = score(truths, predictions(".oo./.oo.", "o.../....", None), "seg_zero")
    found = values_of(table)
    assert found["giou"] == pytest.approx((2 / 6 + 1 + 0) / 3)
    assert found["ciou"] == pytest.approx((2 + 1 + 0) / (6 + 1 + 8))
    assert found["unparseable"] == pytest.approx(1 / 3)
    assert table.schema.equals(schemas.METRICS)
    assert set(table["n"].to_pylist()) == {3} and set(table["run"].to_pylist()) == {"imported"}


def test_boxes_by_hand() -> None:
    truths = samples(*["oo../oo.."] * 6, box=[[0.0, 0.0, 2.0, 2.0]] * 5 + [[0.0, 0.0, 0.0, 0.0]])
    given = boxes(
        [0, 0, 2, 2],  # 1
        [1, 0, 3, 2],  # 2 / 6
        [0, 0, 1, 2],  # 2 / 4: not above 0.5
        [2, 2, 2, 2],  # no area
        None,
        [0, 0, 1, 1],  # nothing to find
    )
    found = values_of(score(truths, given, "rec"))
    assert found["box_iou"] == pytest.approx((1 + 1 / 3 + 1 / 2) / 6)
    assert found["box_accuracy_0.5"] == pytest.approx(1 / 6)
    assert found["unparseable"] == pytest.approx(1 / 6)


def test_the_boxes_of_a_list_count_together_but_where_the_truth_is_of_one_shape() -> None:
    schema = pa.schema([schemas.PREDICTIONS.field(name) for name in ("sample_id", "box", "others")])
    others = [{"box": [3, 0, 4, 2], "points": []}, {"box": [1, 1, 2, 2], "points": []}]
    rows = [
        {"sample_id": "s0", "box": [0, 0, 1, 1], "others": others},
        {"sample_id": "s1", "box": [0, 0, 4, 2], "others": None},
    ]
    given = pa.Table.from_pylist(rows, schema)
    truth = [[0.0, 0.0, 4.0, 2.0]] * 2
    for dataset, iou in (("lisa_grounding", 1 / 8), ("reasonseg", 1.0), ("photos", 1.0)):
        truths = samples(*["oooo/oooo"] * 2, box=truth, dataset=[dataset] * 2)
        assert measure_overlaps(truths, given, "rec")["box_iou"].to_pylist() == [iou, 1.0]
    broken = pa.Table.from_pylist([{**rows[0], "others": [None]}, rows[1]], schema)
    with pytest.raises(UserError, match="'s0': the predicted box None is not four finite numbers"):
        measure_overlaps(truths, broken, "rec")


def test_the_order_of_the_predictions_does_not_matter() -> None:
    truths = samples("oo../....", "o.../....", "..oo/....")
    given = predictions("o.../....", "o.../....", None)
    for protocol in ("seg_zero", "lisa"):
        forwards = score(truths, given, protocol)
        assert score(truths, given.take([2, 0, 1]), protocol).equals(forwards)


@pytest.mark.parametrize(
    ("given", "protocol", "message"),
    [
        (predictions("oo../....").slice(0, 0), "lisa", "2 of 2 samples have no answer.*'s0'"),
        (predictions("oo../....", None, None), "lisa", "row 3 answers 's2'.*not among"),
        (predictions("oo../....", None).take([0, 1, 0]), "lisa", "rows 1 and 3 both answer 's0'"),
        (predictions("oo./...", None), "seg_zero", r"'s0'.* size \[2, 3\] .* \[2, 4\]"),
        (boxes([0, 0, 1, 1], None), "seg_zero", "lack the column 'mask'"),
        (predictions(None, None), "rec", "lack the column 'box'"),
        (boxes([0, 0, 1], None), "rec", "'s0'.*not four finite numbers"),
        (boxes([0, 0, 1, float("nan")], None), "rec", "'s0'.*not four finite numbers"),
        (boxes(None, []), "rec", "'s1'.*not four finite numbers"),
        (boxes(None, [2, 0, 1, 1]), "rec", r"'s1'.* box \[2.0, .* is not \[x1, y1, x2, y2\]"),
        (
            pa.table({"sample_id": ["s0", "s1"], "mask": [1, 2]}),
            "lisa",
            "'mask' has the type int64",
        ),
        (pa.table({"sample_id": [None, "s1"], "box": [None, None]}), "rec", "row 1 answers None"),
    ],
)
def test_bad_predictions_are_named(given: pa.Table, protocol: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        score(samples("oo../....", "o.../...."), given, protocol)


def test_broken_masks_are_named() -> None:
    rows = [{"sample_id": "s0", "mask": {"size": list(SHAPE), "counts": b"1"}}]
    with pytest.raises(UserError, match="'s0': the predicted mask is broken"):
        score(samples("oo../...."), pa.Table.from_pylist(rows), "lisa")
    rows[0]["mask"] = {"size": list(SHAPE), "counts": None}
    with pytest.raises(UserError, match="'s0': the predicted mask lacks"):
        score(samples("oo../...."), pa.Table.from_pylist(rows), "lisa")
    with pytest.raises(UserError, match="no samples"):
        score(samples(), predictions(), "lisa")


def test_masks_with_text_counts_are_read() -> None:
    """COCO's JSON has text where Parquet has bytes, and pandas writes wider integers."""
    encoded = mask("oo../....")
    rows = [
        {"sample_id": "s0", "mask": {"size": list(SHAPE), "counts": encoded["counts"].decode()}}
    ]
    assert values_of(score(samples("oo../...."), pa.Table.from_pylist(rows), "lisa"))["ciou"] > 0.99


def test_compare_is_the_difference_of_the_scores() -> None:
    truths = samples("oo../....", "o.../....", "oooo/oooo", images=("a", "a", "b"))
    ours, theirs = predictions("oo../....", "o.../....", None), predictions("o.../....", None, None)
    for protocol in PROTOCOLS[:2]:
        first, second = (values_of(score(truths, p, protocol)) for p in (ours, theirs))
        one = measure_overlaps(truths, ours, protocol, "x", 3)
        two = measure_overlaps(truths, theirs, protocol, "y", 3)
        table = compare({3: (one, two)}, resamples=9, bootstrap_seed=0)
        assert values_of(table) == pytest.approx({k: first[k] - second[k] for k in first})
        assert table["seeds"].to_pylist() == [[3]] * len(first)
        several = compare({3: (one, two), 4: (two, two)}, resamples=9, bootstrap_seed=0)
        halved = {k: gain / 2 for k, gain in values_of(table).items()}
        assert values_of(several) == pytest.approx(halved)
    fewer = measure_overlaps(truths.slice(0, 2), theirs.slice(0, 2), "lisa", "y")
    with pytest.raises(UserError, match=r"'y', seed 0 .* same samples"):
        compare({0: (one, fewer)}, resamples=9, bootstrap_seed=0)


def test_every_sentence_weighs_objects_by_how_often_they_were_described(tmp_path: Path) -> None:
    write_refer(tmp_path, [ref(1, sentences=("ball",)), ref(2, sentences=("cup", "mug", "jar"))])
    found = {}
    for sentences in ("first", "all"):
        asked = refer.read(tmp_path, "refcocog", "umd", "test", sentences)
        right = [image == "1" for image in asked["image_id"].to_pylist()]
        masks = zip(right, asked["mask"].to_pylist(), strict=True)
        given = [drawn if is_right else None for is_right, drawn in masks]
        columns = {"sample_id": asked["sample_id"], "mask": pa.array(given, schemas.RLE)}
        table = score(asked, pa.table(columns), "seg_zero")
        found[sentences] = values_of(table)["giou"], table["n"][0].as_py()
    assert found == {"first": (1 / 2, 2), "all": (1 / 4, 4)}


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truths, ours, theirs = tmp_path / "s.parquet", tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(samples("oo../....", "o.../...."), truths)
    pq.write_table(predictions("oo../....", None), ours)
    pq.write_table(predictions("o.../....", None), theirs)
    output = tmp_path / "out" / "metrics.parquet"
    kept = [tmp_path / "out" / f"{name}.parquet" for name in ("ours", "theirs")]
    protocols = ("--protocol", "seg_zero", "--protocol", "lisa")
    shared = {"samples": truths, "output": output}
    named = {"predictions": ours, "run": "r", "seed": 7, "output_overlaps": kept[0]}
    call(score_benchmark.main, *protocols, **shared, **named)
    table = pq.read_table(output)
    assert table.schema.equals(schemas.METRICS, check_metadata=False)
    assert table["protocol"].to_pylist() == ["seg_zero"] * 5 + ["lisa"] * 5
    assert table["value"].to_pylist()[0] == 0.5 and set(table["seed"].to_pylist()) == {7}
    written = output.read_bytes()
    call(score_benchmark.main, *protocols, **shared, predictions=theirs, output_overlaps=kept[1])
    call(score_benchmark.main, *protocols, **shared, **named)
    assert output.read_bytes() == written
    call(compare_runs.main, overlaps=kept[0], baseline=kept[1], output=output)
    gain = pq.read_table(output).to_pylist()[0]
    assert (gain["run"], gain["baseline"], gain["seeds"]) == ("r", "imported", [7])
    assert gain["value"] == pytest.approx(0.25)
    output.unlink()
    pq.write_table(predictions("oo../....", None, None), ours)
    capsys.readouterr()
    assert exit_code(score_benchmark.main, *protocols, **shared, predictions=ours) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert str(ours) in said and "row 3" in said
    assert not output.exists()
