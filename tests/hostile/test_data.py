"""Annotations of people and of strangers: what is read of them, and what is said.

Each row is an input and the sentence that it ends in, or what is read of it.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_world import (
    HEIGHT,
    SQUARE,
    WIDTH,
    annotation,
    polygon,
    ref,
    save_image,
    shape,
    square,
    write_reasonseg,
    write_refer,
)
from hostile_data import ALL, compressed, refused
from PIL import Image

from samr1.data import masks, reasonseg, refer

# ReasonSeg


def write_annotation(root: Path, text: str = "the thing", encoding: str = "utf-8") -> Path:
    path = write_reasonseg(root)
    content = {"text": [text], "is_sentence": True, "shapes": [shape(SQUARE)]}
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    return path


def read_one(root: Path) -> dict[str, Any]:
    (found,) = reasonseg.read(root, "val").to_pylist()
    return found


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        *((name, "café ’cup’") for name in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252")),
        ("utf-8", "red \U0001f600 thing"),
    ],
)
def test_every_encoding_of_an_annotation_is_read(tmp_path: Path, encoding: str, text: str) -> None:
    write_annotation(tmp_path, text, encoding)
    assert read_one(tmp_path)["query"] == text


def test_hidden_files_are_none_and_capital_suffixes_are_suffixes(tmp_path: Path) -> None:
    path = write_annotation(tmp_path)
    for name in ("._a.json", "._a.jpg", ".DS_Store"):
        (path.parent / name).write_bytes(b"\0\5\x16\7")
    path.with_suffix(".jpg").rename(path.with_suffix(".JPG"))
    path.rename(path.with_suffix(".JSON"))
    assert read_one(tmp_path)["image_path"] == "ReasonSeg/val/a.JPG"


def test_a_folder_that_is_none_or_has_two_files_of_one_name_is_named(tmp_path: Path) -> None:
    refused("no ReasonSeg images here", lambda: reasonseg.read(tmp_path, "a" * 5_000))
    path = write_annotation(tmp_path)
    shutil.copy(path, path.with_suffix(".JSON"))
    refused(r"a\.json: lies beside a\.JSON; keep one", lambda: reasonseg.read(tmp_path, "val"))
    latin = os.fsdecode(b"caf\xe9")
    write_reasonseg(tmp_path, split=latin)
    refused("its name is no valid Unicode; rename", lambda: reasonseg.read(tmp_path, latin))


def turn(path: Path, orientation: int) -> None:
    """Save the picture again with an EXIF tag that turns it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    save_image(path.with_suffix(".jpg"), exif=exif)


def write_turned(orientation: int, size: tuple[int, int] | None) -> Callable[[Path], object]:
    told = {} if size is None else {"imageWidth": size[0], "imageHeight": size[1]}
    return lambda root: turn(write_reasonseg(root, **told), orientation)


def add_bytes(name: str, *data: bytes) -> Callable[[Path], object]:
    """A file of the sample, its content replaced."""

    def write(root: Path) -> None:
        (write_reasonseg(root).parent / name).write_bytes(b"".join(data))

    return write


def name_in_latin(root: Path) -> None:
    path = write_reasonseg(root)
    for suffix in (".json", ".jpg"):
        os.rename(
            path.with_suffix(suffix), os.fsencode(path.parent) + b"/caf\xe9" + suffix.encode()
        )


WITHIN = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.9]]
REASONSEG: list[tuple[Callable[[Path], object], str]] = [
    (write_turned(6, None), r"a\.jpg: its EXIF data turn the photo \(orientation 6\), and nothing"),
    (
        write_turned(3, (40, 30)),
        r"a\.jpg: its EXIF data turn the photo \(orientation 3\), and n",
    ),
    (write_turned(8, (30, 40)), r"its annotation is of the turned one, 30×40 pixels, .* save it"),
    (write_turned(6, (41, 30)), r"a\.jpg: the image is 40×30 pixels and its annotation says 41×30"),
    (lambda root: write_reasonseg(root, imageWidth="40", imageHeight="30"), "is no whole number"),
    (lambda root: write_reasonseg(root, imageWidth=40), "is no whole number"),
    (lambda root: write_reasonseg(root, shapes=[shape([[99, 9], [120, 9], [99, 20]])]), "no pixel"),
    (lambda root: write_reasonseg(root, shapes=[shape(WITHIN)]), "all lie between 0 and 1"),
    (lambda root: write_reasonseg(root, text=["red \ud83d thing"]), r"text\[0\] is no valid Unic"),
    (lambda root: write_reasonseg(root, text=["red \0 thing"]), r"text\[0\] is no valid Unicode"),
    (lambda root: write_reasonseg(root, text=["red " * 999]), r"has 3,995 characters, and a quest"),
    (add_bytes("a.json", b'{"text": ["caf\xc3\xa9 \x92cup\x92"]}'), r"a\.json: not a JSON file \("),
    (add_bytes("a.json", b'{"text": ["\x81"], "shapes": []}'), r"a\.json: not a JSON file"),
    (add_bytes("a.json", b"[" * 200_000), r"a\.json: not a JSON file .*recursion"),
    (add_bytes("a.json", b"9" * 5_000), r"a\.json: not a JSON file .*4300 digits"),
    (
        lambda root: write_reasonseg(root, shapes=[shape([[1, 1], [10**400, 5], [9, 9]])]),
        "no point",
    ),
    (name_in_latin, r"caf.*: its name is no valid Unicode; rename it"),
]


@pytest.mark.parametrize(("write", "told"), REASONSEG)
def test_a_bad_sample_of_reasonseg_is_named_or_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[[Path], object], told: str
) -> None:
    write(tmp_path)
    refused(told, lambda: reasonseg.read(tmp_path, "val"))
    write_reasonseg(tmp_path, "b")
    table = reasonseg.read(tmp_path, "val", on_bad_sample="skip")
    assert table["sample_id"].to_pylist() == ["reasonseg/val/b"]
    (said,) = (line for line in capsys.readouterr().err.splitlines() if "skipped" in line)
    assert "skipped 1 of 2" in said and said.isprintable()


def test_a_turned_photo_is_read_where_its_annotation_is_of_the_raster(tmp_path: Path) -> None:
    write_turned(6, (WIDTH, HEIGHT))(tmp_path)
    assert read_one(tmp_path)["box"] == [10, 5, 20, 15]


# REFER


def read_refs(root: Path, sentences: refer.Sentences = "first") -> list[dict[str, Any]]:
    return refer.read(root, "refcocog", "umd", "test", sentences).to_pylist()


@pytest.mark.parametrize("protocol", range(6))
def test_numpys_numbers_are_ids_in_every_protocol(tmp_path: Path, protocol: int) -> None:
    kinds = (np.int64, np.int32, np.uint8, np.dtype(">i4").type)
    refs = [ref(n, ref_id=kind(n), ann_id=kind(n)) for n, kind in enumerate(kinds, 1)]
    write_refer(tmp_path, refs, protocol=protocol)
    assert [one["sample_id"].split("/")[3] for one in read_refs(tmp_path)] == list("1234")


def test_the_first_sentence_with_words_is_asked(tmp_path: Path) -> None:
    write_refer(tmp_path, [ref(1, sentences=("", " ", "left ball", "ball"))])
    (first,) = read_refs(tmp_path)
    assert (first["query"], first["sentence_index"]) == ("left ball", 2)
    assert first["sample_id"] == "refcocog/umd/test/1/2"
    refused("sentence 0 has 0 characters", lambda: read_refs(tmp_path, "all"))


LINE = [30, 20, 38, 28]
SEGMENTATIONS: list[tuple[Any, int]] = [
    ([compressed(square())], ALL),
    ([compressed(square()), compressed(np.roll(square(), 5, axis=0))], ALL + 50),
    ([polygon(10, 5, 20, 15), LINE], ALL),  # two points cover nothing, as with pycocotools
    ([LINE, polygon(10, 5, 20, 15)], ALL),
    (square().astype(int).tolist(), ALL),
    ((square() * 255).tolist(), ALL),
    (square().tolist(), ALL),
    (square().astype(float).tolist(), ALL),
    ((square() * 255.0).tolist(), ALL),
]


@pytest.mark.parametrize(("segmentation", "pixels"), SEGMENTATIONS)
def test_every_form_of_a_segmentation_is_read_as_what_it_is(
    tmp_path: Path, segmentation: Any, pixels: int
) -> None:
    write_refer(tmp_path, [ref(1)], [annotation(1, segmentation)])
    (found,) = read_refs(tmp_path)
    assert masks.decode_mask(found["mask"]).sum() == pixels


def edit(**change: Any) -> Callable[[Path], None]:
    """A REFER set whose `instances.json` is changed: `images` and `annotations` are functions."""

    def write(root: Path) -> None:
        write_refer(root, [ref(1), ref(2)])
        path = root / "refcocog" / "instances.json"
        content = json.loads(path.read_text())
        for key, of_entries in change.items():
            content[key] = of_entries(content[key])
        path.write_text(json.dumps(content))

    return write


def set_first(**fields: Any) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda entries: [entries[0] | fields, *entries[1:]]


def write_pickle(data: bytes) -> Callable[[Path], object]:
    return lambda root: write_refer(root, [ref(1)]).write_bytes(data)


DEEP = b")" + b"\x85" * 200_000 + b"}\x94h\x00N"
REFER: list[tuple[Callable[[Path], object], str]] = [
    (edit(annotations=lambda all_: [*all_, all_[0]]), r"annotations`, row 2: .* the same id, 1;"),
    (
        edit(images=lambda all_: [*all_, all_[1]]),
        r"images`, row 2: .* has the same id",
    ),
    (edit(images=set_first(file_name="../../etc/passwd")), r"image 1 of .* has no file name"),
    (edit(images=set_first(file_name="/etc/passwd")), r"image 1 of .* has no file name"),
    (edit(images=set_first(file_name="a\0b")), r"image 1 of .* has no file name"),
    (edit(images=set_first(file_name="..")), r"train2014/\.\.: is no regular file"),
    (edit(images=set_first(file_name="a" * 5000)), r"cannot be read \(File name too long\)"),
    (edit(annotations=set_first(segmentation=[[0.1, 0.2, 0.5, 0.2, 0.5, 0.9]])), "between 0 and 1"),
    (edit(annotations=set_first(segmentation=[[0, 1], [1, 0]])), "2 rows of 2 pixels"),
    (edit(annotations=set_first(segmentation=[LINE])), "not three or more x, y pairs"),
    (lambda root: write_refer(root, [ref(1, sentences=("red \ud83d",))]), "no valid Unicode"),
    (lambda root: write_refer(root, [ref(1, ref_id=10**5000)]), "an id has too many digits"),
    (lambda root: write_refer(root, [ref(1, ref_id=True)]), "`ref_id` is not int"),
    (write_pickle(b"cos\nsystem\n(S'touch run'\ntR."), "asks for os.system, which plain data"),
    (write_pickle(b"(lp0\n0g0\n."), "does not hold a list of refs"),
    (write_pickle(b"\x80\x04" + DEEP + b"s."), "a key that is neither a text nor a number"),
    (write_pickle(pickle.dumps([np.float64(1)])), "asks for numpy|is no whole number"),
    (write_pickle(b""), r"not a pickle of plain data \(EOFError\)"),
]


@pytest.mark.parametrize(("write", "told"), REFER)
def test_a_bad_set_of_refs_is_named(
    tmp_path: Path, write: Callable[[Path], object], told: str
) -> None:
    write(tmp_path)
    refused(told, lambda: read_refs(tmp_path))
