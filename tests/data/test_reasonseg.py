"""Reading ReasonSeg and LISA-Grounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data_world import HEIGHT, SQUARE, WIDTH, shape, truncate, write_reasonseg

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data import masks, reasonseg


def test_a_sample_has_the_first_text_and_the_masks_extent(tmp_path: Path) -> None:
    inner = [[12, 8], [15, 8], [15, 11], [12, 11]]
    write_reasonseg(tmp_path, "b", shapes=[shape(SQUARE), shape(inner, "ignore")])
    write_reasonseg(tmp_path, "a")
    table = reasonseg.read(tmp_path, "val")
    assert table.schema.equals(schemas.SAMPLES)
    first, second = table.to_pylist()
    mask, ignore = masks.decode_mask(second.pop("mask")), masks.decode_mask(second.pop("ignore"))
    assert second == {
        "sample_id": "reasonseg/val/b",
        "dataset": "reasonseg",
        "split": "val",
        "image_id": "reasonseg/val/b",
        "image_path": "ReasonSeg/val/b.jpg",
        "width": WIDTH,
        "height": HEIGHT,
        "query": "the thing that rolls",
        "sentence_index": 0,
        "box": [10, 5, 20, 15],
    }
    assert (mask.shape, mask.sum(), ignore.sum()) == ((HEIGHT, WIDTH), 84, 16)
    assert first["sample_id"] == "reasonseg/val/a"
    assert first["ignore"] is None


def test_a_file_without_a_polygon_is_a_sample_with_an_empty_mask(tmp_path: Path) -> None:
    write_reasonseg(tmp_path, shapes=[])
    for dataset in ("reasonseg", "lisa_grounding"):
        (row,) = reasonseg.read(tmp_path, "val", dataset=dataset).to_pylist()
        assert row["box"] == [0, 0, 0, 0]
        assert not masks.decode_mask(row["mask"]).any()


def test_lisa_grounding_takes_the_first_shapes_points_whatever_its_label(tmp_path: Path) -> None:
    first = shape([[3.5, 4.25], [8, 30.5], [5, 2]], "flag")
    write_reasonseg(tmp_path, shapes=[first, shape(SQUARE)])
    (row,) = reasonseg.read(tmp_path, "val", dataset="lisa_grounding").to_pylist()
    assert row["sample_id"] == "lisa_grounding/val/a"
    assert row["image_id"] == "reasonseg/val/a"
    assert row["box"] == [3.5, 2, 8, 30.5]
    assert masks.mask_box(masks.decode_mask(row["mask"])) == [10, 5, 20, 15]


BAD_ANNOTATIONS = [
    ({"text": [""]}, r"bad\.json: text\[0\] has 0 characters"),
    ({"text": [" "]}, r"bad\.json: text\[0\] has 0 characters"),
    ({"text": []}, r"bad\.json: `text` is not a list of texts"),
    ({"text": "ball"}, r"bad\.json: `text` is not a list of texts"),
    ({"text": [3]}, r"bad\.json: text\[0\] is no text"),
    ({"shapes": "none"}, r"bad\.json: `shapes` is not a list"),
    ({"shapes": [SQUARE]}, r"bad\.json: `shapes` is not a list"),
    ({"shapes": [{"points": SQUARE}]}, r"bad\.json: a shape has no label"),
    ({"shapes": [shape([])]}, r"bad\.json: a shape has no label, no points"),
    ({"imageWidth": 41, "imageHeight": HEIGHT}, r"bad\.jpg: the image is 40×30 .* says 41×30"),
]


@pytest.mark.parametrize(("fields", "message"), BAD_ANNOTATIONS)
def test_a_bad_annotation_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: dict[str, Any], message: str
) -> None:
    write_reasonseg(tmp_path, "bad", **fields)
    check_stops_or_skips(tmp_path, capsys, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not a JSON file"),
        (b"[]", "not a ReasonSeg annotation"),
        (b'{"text": ["a"]}', "not a ReasonSeg annotation"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_annotation_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, message: str
) -> None:
    path = write_reasonseg(tmp_path, "bad")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    check_stops_or_skips(tmp_path, capsys, rf"bad\.json: {message}")


@pytest.mark.parametrize("harm", [truncate, Path.unlink])
def test_a_broken_or_missing_image_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Any
) -> None:
    harm(write_reasonseg(tmp_path, "bad").with_suffix(".jpg"))
    check_stops_or_skips(tmp_path, capsys, r"bad\.jpg: (the image is broken|no such file)")


def check_stops_or_skips(root: Path, capsys: pytest.CaptureFixture[str], message: str) -> None:
    """Beside one good sample and a bad one; alone, the bad one is an error either way."""
    with pytest.raises(UserError, match=message):
        reasonseg.read(root, "val")
    with pytest.raises(UserError, match=f"skipped 1 of 1: .*{message}"):
        reasonseg.read(root, "val", on_bad_sample="skip")
    write_reasonseg(root, "good")
    table = reasonseg.read(root, "val", on_bad_sample="skip")
    assert table["sample_id"].to_pylist() == ["reasonseg/val/good"]
    assert "skipped 1 of 2" in capsys.readouterr().err


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no ReasonSeg images here"):
        reasonseg.read(tmp_path, "val")
