"""Reading RefCOCO, RefCOCO+ and RefCOCOg."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
from data_world import HEIGHT, WIDTH, annotation, polygon, ref, save_image, truncate, write_refer

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data import masks, refer


def read(root: Path, **options: Any) -> list[dict[str, Any]]:
    table = refer.read(root, "refcocog", "umd", "test", **options)
    assert table.schema.equals(schemas.SAMPLES)
    return table.to_pylist()


def test_a_row_a_ref_or_a_row_a_sentence(tmp_path: Path) -> None:
    write_refer(tmp_path, [ref(7), ref(3, split="train"), ref(5, sentences=("cup",))])
    first, last = read(tmp_path)
    mask = masks.decode_mask(first.pop("mask"))
    assert first == {
        "sample_id": "refcocog/umd/test/7/0",
        "dataset": "refcocog",
        "split": "test",
        "image_id": "7",
        "image_path": "train2014/COCO_train2014_000000000007.jpg",
        "width": WIDTH,
        "height": HEIGHT,
        "query": "left ball",
        "sentence_index": 0,
        "box": [10, 5, 20, 15],
        "ignore": None,
    }
    assert (mask.shape, mask.sum()) == ((HEIGHT, WIDTH), 100)
    assert last["query"] == "cup"
    ids = [row["sample_id"] for row in read(tmp_path, sentences="all")]
    assert ids == [f"refcocog/umd/test/{end}" for end in ("7/0", "7/1", "5/0")]


def test_every_sentence_is_asked_in_small_letters_as_lisa_asks_it(tmp_path: Path) -> None:
    write_refer(tmp_path, [ref(7, sentences=(" Left Ball\n", "the BALL"))])
    asked = [row["query"] for row in read(tmp_path, sentences="all")]
    assert asked == ["left ball", "the ball"]
    assert [row["query"] for row in read(tmp_path)] == ["Left Ball"]


def test_refcoco_plus_has_a_plus_in_its_folder(tmp_path: Path) -> None:
    write_refer(tmp_path, [ref(1, split="testA")], dataset="refcoco+", split_by="unc")
    table = refer.read(tmp_path, "refcoco+", "unc", "testA")
    assert table["sample_id"].to_pylist() == ["refcoco+/unc/testA/1/0"]


def python2_pickle(value: Any) -> bytes:
    """Protocol 2 as Python 2 writes it: `str` as byte strings, which Python 3 never writes."""
    if isinstance(value, dict):
        items = b"".join(python2_pickle(part) for item in value.items() for part in item)
        return b"}(" + items + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(python2_pickle, value)) + b"e"
    if isinstance(value, str):
        data = value.encode("latin-1")
        return b"T" + struct.pack("<i", len(data)) + data
    return b"J" + struct.pack("<i", value)


def test_a_pickle_of_python_2_is_read(tmp_path: Path) -> None:
    path = write_refer(tmp_path, [ref(1)])
    path.write_bytes(b"\x80\x02" + python2_pickle([ref(1, sentences=("the café",))]) + b".")
    assert [row["query"] for row in read(tmp_path)] == ["the café"]


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    write_refer(tmp_path, [ref(1), ref(2, extra=Harmful(tmp_path / "made"))], protocol=protocol)
    with pytest.raises(UserError, match=r"refs\(umd\)\.p: not a pickle of plain data .*mkdir"):
        read(tmp_path, on_bad_sample="skip")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [b"no pickle", b"\x80\x02]q", pickle.dumps({"a": 1}), pickle.dumps([])],
)
def test_a_file_that_is_no_refer_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    write_refer(tmp_path, [ref(1)]).write_bytes(content)
    with pytest.raises(UserError, match=r"refs\(umd\)\.p: not a (pickle of plain data|REFER file)"):
        read(tmp_path, on_bad_sample="skip")


def test_missing_files_and_splits_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"refs\(umd\)\.p: no such file"):
        read(tmp_path)
    write_refer(tmp_path, [ref(1, split="val"), ref(2, split="train")])
    with pytest.raises(UserError, match="no ref of the split 'test'; it has train, val"):
        read(tmp_path)
    (tmp_path / "refcocog" / "instances.json").unlink()
    with pytest.raises(UserError, match=r"instances\.json: no such file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON file"),
        ("[]", "not a COCO file: it has no list of `images`"),
        ('{"images": []}', "not a COCO file: it has no list of `annotations`"),
        ('{"images": [{"id": "1"}], "annotations": []}', "`images`, row 0: has no `id`"),
        ('{"images": [], "annotations": [{"id": 1}, 2]}', "`annotations`, row 1: has no `id`"),
    ],
)
def test_a_file_that_is_no_coco_file_is_one_sentence(
    tmp_path: Path, content: str, message: str
) -> None:
    write_refer(tmp_path, [ref(1)])
    (tmp_path / "refcocog" / "instances.json").write_text(content)
    with pytest.raises(UserError, match=rf"instances\.json: {message}"):
        read(tmp_path, on_bad_sample="skip")


BAD_REFS = [
    (3, "row 0: not a ref of a REFER file: it is not a dictionary"),
    ({"ref_id": 1}, "row 0: not a ref of a REFER file: `ann_id` is not int"),
    (ref(1, sentences=()), "row 0: the ref has no sentence"),
    (ref(1, ann_id=9), r"ref_id 1: its annotation 9 is not in .*instances\.json"),
    (ref(1, image_id=2), "ref_id 1: its annotation 1 belongs to another image"),
    (ref(1, sentences=("",)), "ref_id 1: sentence 0 has 0 characters"),
    (ref(1, sentences=(" \t",)), "ref_id 1: sentence 0 has 0 characters"),
    (ref(1) | {"sentences": [{"raw": "a"}]}, "ref_id 1: sentence 0 is no text"),
    (ref(2), "ref_id 2: a ref before it has the same ref_id"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_REFS)
def test_a_bad_ref_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: Any, message: str
) -> None:
    same_id = bad == ref(2)
    refs = [ref(2), bad] if same_id else [bad, ref(2)]
    write_refer(tmp_path, refs, [annotation(1), annotation(2)])
    check_stops_or_skips(tmp_path, capsys, rf"refs\(umd\)\.p, {message}")


BAD_ANNOTATIONS = [
    ({"segmentation": []}, "has no segmentation"),
    ({"segmentation": None}, "has no segmentation"),
    ({"segmentation": [[1, 2, 3, 4]]}, "not three or more x, y pairs"),
    ({"segmentation": [polygon(50, 50, 60, 60)]}, "cover no pixel"),
    ({"segmentation": {"size": [1, 1], "counts": "0"}}, "has the size"),
]


@pytest.mark.parametrize(("fields", "message"), BAD_ANNOTATIONS)
def test_a_bad_annotation_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: Any, message: str
) -> None:
    write_refer(tmp_path, [ref(1), ref(2)], [annotation(1) | fields, annotation(2)])
    check_stops_or_skips(tmp_path, capsys, f"ref_id 1: annotation 1 of .*{message}")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (Path.unlink, "no such file"),
        (truncate, "the image is broken"),
        (lambda path: save_image(path, 41, 30), "the image is 41×30 pixels .* says 40×30"),
    ],
)
def test_a_bad_image_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Any, message: str
) -> None:
    write_refer(tmp_path, [ref(1), ref(2)])
    harm(tmp_path / "train2014" / "COCO_train2014_000000000001.jpg")
    check_stops_or_skips(tmp_path, capsys, f"ref_id 1: .*000001.jpg: {message}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"file_name": "../../secret.jpg"}, "has no file name"),
        ({"file_name": None}, "has no file name"),
        ({"width": None}, "has no width and height"),
        ({"id": 9}, "its image 1 is not in"),
    ],
)
def test_a_bad_image_entry_stops_or_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fields: Any, message: str
) -> None:
    write_refer(tmp_path, [ref(1), ref(2)])
    path = tmp_path / "refcocog" / "instances.json"
    content = json.loads(path.read_text())
    content["images"][0] |= fields
    path.write_text(json.dumps(content))
    check_stops_or_skips(tmp_path, capsys, f"ref_id 1: .*{message}")


def check_stops_or_skips(root: Path, capsys: pytest.CaptureFixture[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(root)
    (row,) = read(root, on_bad_sample="skip")
    assert row["sample_id"] == "refcocog/umd/test/2/0"
    assert "skipped 1 of 2" in capsys.readouterr().err


def test_only_the_empty_sentence_of_a_ref_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_refer(tmp_path, [ref(1, sentences=("ball", "", "red ball"))])
    rows = read(tmp_path, sentences="all", on_bad_sample="skip")
    assert [(row["sentence_index"], row["query"]) for row in rows] == [(0, "ball"), (2, "red ball")]
    assert "skipped 1 of 3" in capsys.readouterr().err


def test_where_every_ref_is_bad_there_is_nothing_to_write(tmp_path: Path) -> None:
    write_refer(tmp_path, [3, 4])
    with pytest.raises(UserError, match=r"skipped 2 of 2: .*row 0: not a ref"):
        read(tmp_path, on_bad_sample="skip")
