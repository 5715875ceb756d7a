"""A table of one's own with a mistake in it: one sentence with file and row, or it is skipped."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_world import HEIGHT, WIDTH, square
from hostile_data import refused
from own_world import save_mask, stage, write_photos, write_rows, write_table
from PIL import Image

from samr1.core.errors import UserError
from samr1.core.reading import decode_text
from samr1.data.own.reading import read_own

FIXTURES = Path(__file__).parents[1] / "fixtures" / "own"
Write = Callable[[Path], object]

# One bad row of a table, the second


def row(**change: Any) -> Write:
    return lambda root: write_table(root, {}, change)


def row_of(path: str, write: Callable[[Path], object], **change: Any) -> Write:
    """A row with a file of its own."""

    def make(root: Path) -> None:
        write_table(root, {}, change)
        write(root / path)

    return make


def turn(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(path, exif=exif)


def soft(path: Path) -> None:
    save_mask(path, square())
    Image.open(path).resize((80, 60)).resize((WIDTH, HEIGHT), Image.Resampling.BOX).save(path)


POLYGON = [[10, 5, 20, 5, 20, 15]]
ROWS: list[tuple[Write, str]] = [
    (row(image="img/none.png"), r"img/none\.png: no such file; put the image there"),
    (row(image=None), "its image is no name of a file; write its path"),
    (row(image="../../etc/passwd"), "its image, '../../etc/passwd', leads out of the data set's f"),
    (row(image="/etc/passwd"), "its image, '/etc/passwd', leads out"),
    (row(image="https://there.org/a.jpg"), "leads out of the data set's folder"),
    (row(image="masks"), "masks: is no regular file"),
    (
        row_of("img/b.jpg", lambda path: path.write_bytes(b"\xff\xd8\xff"), image="img/b.jpg"),
        "image",
    ),
    (row(image="questions.csv"), r"questions\.csv: not an image that can be read"),
    (row(question=None), "it has no question; write one or leave the row out"),
    (row(question="word " * 500), "its question has 2,499 characters"),
    (row(mask=None), "it has neither a mask nor a segmentation; give it one of them"),
    (row(segmentation=POLYGON), "it has both a mask and a segmentation"),
    (row(mask="masks/none.png"), r"masks/none\.png: no such file"),
    (row(mask="img/1.png"), r"img/1\.png: the mask shows several colours beside black"),
    (row_of("masks/b.png", soft, mask="masks/b.png"), "without soft edges"),
    (
        row_of("masks/b.png", lambda path: save_mask(path, square()[:20]), mask="masks/b.png"),
        r"img/1\.png: the image is 40×30 pixels and its annotation says 40×20",
    ),
    (
        row_of("masks/b.png", lambda path: save_mask(path, square() * 0), mask="masks/b.png"),
        "its mask is empty, and a question has to ask for something",
    ),
    (row(mask=[]), "its list of masks is empty; name one"),
    (row(mask='["masks/1.png'), r"its mask is no JSON \(.*write it as in "),
    (row(mask=["masks/1.png", "masks/none.png"]), r"masks/none\.png: no such file"),
    (
        row_of(
            "masks/b.png",
            lambda path: save_mask(path, square() * 0),
            mask=["masks/1.png", "masks/b.png"],
        ),
        r"masks/b\.png: its mask is empty, and a question",
    ),
    (row(mask=None, segmentation="[[1, 2"), r"its segmentation is no JSON \(.*write it as COCO"),
    (row(mask=None, segmentation="[array([10., 5.])]"), "its segmentation is no JSON"),
    (row(mask=None, segmentation=[]), "it has no segmentation"),
    (row(mask=None, segmentation=[[1, 2, 3, 4]]), "a polygon that is not three or more x, y pairs"),
    (row(mask=None, segmentation=[[0.1, 0.1, 0.5, 0.1, 0.5, 0.9]]), "all lie between 0 and 1"),
    (row(mask=None, segmentation=[[10, 5, 200, 5, 200, 150]]), "give them at the original's size"),
    (
        row(mask=None, segmentation={"size": [WIDTH, HEIGHT], "counts": [0, 1200]}),
        "the image is 40×30 pixels and its annotation says 30×40",
    ),
    (
        row(mask=None, segmentation={"size": [HEIGHT, WIDTH], "counts": [5, 10]}),
        "run lengths do not add up",
    ),
    (row(mask=None, segmentation={"size": "x", "counts": 5}), "its segmentation has the size x"),
    (row(ignore="masks/none.png"), r"masks/none\.png: no such file"),
    (row(ignore="[[1, 2"), "its ignored pixels: its ignore is no JSON"),
    (row(ignore="masks/1.png"), "its mask is empty"),  # all of its target is ignored
    (
        row_of("img/b.jpg", turn, image="img/b.jpg", mask=None, segmentation=POLYGON),
        r"b\.jpg: its EXIF data turn the photo \(orientation 6\), and nothing says",
    ),
]


@pytest.mark.parametrize(("write", "told"), ROWS)
def test_a_bad_row_is_named_or_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Write, told: str
) -> None:
    write(tmp_path)
    settings = stage(tmp_path)
    refused(rf"questions\.csv, row 3: .*{told}", lambda: read_own(settings))
    reading = read_own(settings, "skip")
    assert reading.samples["sample_id"].to_pylist() == ["mine/2", "mine/4", "mine/5"]
    (sentence,) = reading.refused
    assert re.search(told, sentence)
    assert "skipped 1 of 4" in capsys.readouterr().err


BOXES: list[tuple[Any, str]] = [
    (None, "it has no box; write x1, y1, x2, y2"),
    ("left", "its box is no JSON"),
    ([1, 2, 3], "its box is not four numbers"),
    ([1, 2, "3", 4], "its box is not four numbers"),
    ([20, 10, 5, 15], r"has no area as x1, y1, x2, y2; it may be x, y, width, height"),
    ([0.1, 0.2, 0.5, 0.6], "lies between 0 and 1; give it in pixels"),
    ([10, 5, 400, 300], "reaches beyond the image's 40×30"),
    ([10, 5, float("inf"), 30], "its box is not four numbers"),
]


@pytest.mark.parametrize(("box", "told"), BOXES)
def test_a_bad_box_is_named(tmp_path: Path, box: Any, told: str) -> None:
    good = {"mask": None, "box": [1, 2, 30, 20]}
    write_table(tmp_path, good, {"mask": None, "box": box}, good, good)
    refused(rf"row 3: .*{told}", lambda: read_own(stage(tmp_path, target="box")))


# A whole table


def text(content: str | bytes, name: str = "questions.csv") -> Write:
    def write(root: Path) -> None:
        write_photos(root)
        data = content if isinstance(content, bytes) else content.encode()
        (root / name).write_bytes(data)

    return write


def nested(root: Path) -> None:
    gc.collect()  # what is collected in the depth of the recursion has no room to end there
    text("[" * 200_000, "questions.jsonl")(root)


def pandas_style(root: Path) -> None:
    write_photos(root)
    table = pa.table({"image": ["img/0.png"], "question": [b"\xff"], "mask": ["masks/0.png"]})
    pq.write_table(table, root / "questions.parquet")


def pictures_inside(root: Path) -> None:
    table = {"image": [{"bytes": b"x", "path": None}], "question": ["a"], "mask": ["m.png"]}
    pq.write_table(pa.table(table), root / "questions.parquet")


HEAD = "image,question,mask\n"
FILES: list[tuple[str, Write, str]] = [
    (
        "questions.csv",
        lambda root: write_photos(root),
        r"questions\.csv: no such file; correct `roo",
    ),
    (
        "questions.txt",
        text("", "questions.txt"),
        r"a table is \.csv, \.tsv, \.jsonl, \.parquet; sav",
    ),
    ("questions.csv", text(""), r"questions\.csv: is empty; write a header and a row a question"),
    ("questions.csv", text(HEAD), "has no question; correct `root`, or fill the data set"),
    (
        "questions.csv",
        text("picture,question,mask\n1,2,3"),
        "no column 'image' or 'file_name'; it h",
    ),
    ("questions.csv", text("image,qestion,mask\n1,2,3"), "no column 'question' or 'text'; it has"),
    ("questions.csv", text("image,question\n1,2"), "no column 'mask' or 'segmentation'"),
    ("questions.csv", text("image,question,box\n1,2,3"), "with boxes alone write `target: box`"),
    ("questions.csv", text("image,mask,mask\n1,2,3"), "has the column 'mask' twice"),
    ("questions.csv", text(HEAD + "a,b,c,d"), "row 2: has 4 cells and the header 3; put quotes"),
    ("questions.csv", text(HEAD + 'a,"b,c'), "not a readable CSV file"),
    ("questions.csv", text((HEAD + "caf\u00e9").encode() + b"\x92"), "no text in UTF-8"),
    ("questions.csv", text(HEAD + "\0,b,c"), "row 2: its image is no name of a file"),
    ("questions.jsonl", text('{"image": 1', "questions.jsonl"), "line 1: not a line of JSON"),
    ("questions.jsonl", text("[1]", "questions.jsonl"), "line 1: not a JSON object; write one"),
    (
        "questions.jsonl",
        nested,
        "line 1: not a line of JSON .*recur",
    ),
    ("questions.csv", text(HEAD + "," * 3_000_000), r"CSV file \(a line of more than 2,000,000 v"),
    ("questions.jsonl", text("[" + "1," * 3_000_000, "questions.jsonl"), "a line of more than 2,"),
    ("questions.parquet", text("PAR1", "questions.parquet"), "not a readable Parquet file"),
    ("questions.parquet", pandas_style, "its question is no text; give it words"),
    ("questions.parquet", pictures_inside, "row 1: its image lies inside of the table; write it "),
]


@pytest.mark.parametrize(("file", "write", "told"), FILES)
def test_a_table_that_is_none_is_named(tmp_path: Path, file: str, write: Write, told: str) -> None:
    write(tmp_path)
    refused(told, lambda: read_own(stage(tmp_path, file=file)))


def test_what_datasets_of_hugging_face_writes_into_a_csv_is_no_segmentation(tmp_path: Path) -> None:
    """Its `to_csv` prints lists as numpy does; its `to_json` and `to_parquet` are read."""
    write_photos(tmp_path)
    (tmp_path / "questions.csv").write_bytes((FIXTURES / "questions.csv").read_bytes())
    refused("row 2: its segmentation is no JSON", lambda: read_own(stage(tmp_path)))


def test_two_rows_of_one_id_and_a_missing_split_are_named(tmp_path: Path) -> None:
    write_table(tmp_path, {"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": "c"})
    refused("row 4: its id, 'a', is that of .*row 2 too", lambda: read_own(stage(tmp_path)))
    write_table(tmp_path, *({"split": "train"},) * 2, {}, {"split": "test"})
    refused("row 4: it has no split, and the table has a c", lambda: read_own(stage(tmp_path)))
    write_table(tmp_path, *({"split": split} for split in (0, 1.5, 1, 1)), file="questions.jsonl")
    refused(
        "line 2: its split is no short text; write 1 to 200 characters",
        lambda: read_own(stage(tmp_path, file="questions.jsonl")),
    )
    write_table(tmp_path, *({"split": "val"},) * 4)
    refused(
        "splits are 'val'; name two of them by `train_split`", lambda: read_own(stage(tmp_path))
    )


def test_nothing_but_bad_samples_is_no_data_set(tmp_path: Path) -> None:
    write_rows(tmp_path / "questions.csv", [{"image": "a.png", "question": "a", "mask": "b.png"}])
    with pytest.raises(UserError, match=r"skipped 1 of 1: .*row 2"):
        read_own(stage(tmp_path), "skip")


def test_text_that_only_looks_like_a_number_is_an_id(tmp_path: Path) -> None:
    write_table(tmp_path, *({"id": one} for one in ("007", "7", "07", "0")))
    found = read_own(stage(tmp_path)).samples["sample_id"].to_pylist()
    assert found == ["mine/007", "mine/7", "mine/07", "mine/0"]


@pytest.mark.parametrize("file", ["questions.csv", "questions.jsonl"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_every_encoding_of_a_table_is_read(tmp_path: Path, file: str, encoding: str) -> None:
    write_table(tmp_path, {"question": "caf\u00e9 \u2019cup\u2019"}, file=file)
    text = json.loads(json.dumps((tmp_path / file).read_text()).replace("\\\\u", "\\u"))
    (tmp_path / file).write_bytes(text.encode(encoding))
    assert decode_text(text.encode(encoding)) == text
    first = read_own(stage(tmp_path, file=file)).samples["query"][0].as_py()
    assert first == "caf\u00e9 \u2019cup\u2019"
