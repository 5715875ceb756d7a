"""What people's files and hostile ones do to the readers of data: what is read, and what is said.

Each row is an input and the sentence that it ends in, or what is read of it. Memory is measured in
a process of its own (`small_bombs`).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_bombs
from data_world import (
    HEIGHT,
    SQUARE,
    WIDTH,
    annotation,
    polygon,
    ref,
    save_image,
    shape,
    write_reasonseg,
    write_refer,
    write_zip,
)
from mirror_world import read_mirror, row, square, write_mirror
from PIL import Image

from samr1.config.errors import read_mapping
from samr1.config.merge import read_scale
from samr1.core import schemas
from samr1.core.errors import UserError, run_command
from samr1.core.files import read_table
from samr1.data import masks, reasonseg, refer
from samr1.data.images import check_image, load_mask, load_picture
from samr1.data.mirror_images import unpack_images
from samr1.data.resizing import ImageStore
from samr1.data.samples import load_samples
from samr1.data.unpacking import BadArchiveError, unpack_folder
from samr1.evaluation.imports import import_predictions
from samr1.evaluation.score import score

ALL = 100  # pixels of the square mask


def refused(told: str, read: Callable[[], object]) -> None:
    """`read` ends in one sentence that says `told`."""
    with pytest.raises(UserError, match=told) as caught:
        read()
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")


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


def compressed(mask: np.ndarray) -> dict[str, Any]:
    rle = masks.encode_mask(mask)
    return {"size": rle["size"], "counts": rle["counts"].decode()}


LINE = [30, 20, 38, 28]
SEGMENTATIONS: list[tuple[Any, int]] = [
    ([compressed(square())], ALL),
    ([compressed(square()), compressed(np.roll(square(), 5, axis=0))], ALL + 50),
    ([polygon(10, 5, 20, 15), LINE], ALL),  # two points cover nothing, as with pycocotools
    ([LINE, polygon(10, 5, 20, 15)], ALL),
    (square().astype(int).tolist(), ALL),
    ((square() * 255).tolist(), ALL),
    (square().tolist(), ALL),
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


# Pictures of masks, and answers


def as_png(image: Image.Image, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, format="PNG", **options)
    return content.getvalue()


def palette(*colours: int) -> Image.Image:
    image = Image.fromarray(square().astype(np.uint8)).convert("P")
    image.putpalette(colours)
    return image


def grey(off: int, on: int) -> Image.Image:
    return Image.fromarray(np.where(square(), on, off).astype(np.uint8))


MASKS: list[tuple[Image.Image, int]] = [
    (Image.fromarray(square()), ALL),
    (grey(0, 255), ALL),
    (grey(0, 1), ALL),
    (grey(255, 0), WIDTH * HEIGHT - ALL),  # white is the object, wherever it is
    (grey(0, 255).convert("RGB"), ALL),
    (Image.fromarray((square() * 65_535).astype(np.uint16)), ALL),
    (palette(0, 0, 0, 255, 255, 255), ALL),
    (palette(255, 255, 255, 0, 0, 0), WIDTH * HEIGHT - ALL),
    (palette(0, 0, 0, 128, 0, 0), ALL),
]


@pytest.mark.parametrize(("image", "pixels"), MASKS)
def test_a_mask_is_what_its_picture_shows(image: Image.Image, pixels: int) -> None:
    found = load_mask(as_png(image), "a.png", WIDTH, HEIGHT)
    assert found.sum() == pixels and found[7, 12] == (pixels == ALL)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (grey(3, 250), r"a\.png: the mask shows several colours beside black"),
        (palette(255, 255, 255, 128, 0, 0), "several colours beside black"),
        (grey(0, 255).resize((WIDTH, HEIGHT)).rotate(9, Image.Resampling.BILINEAR), "several col"),
        (grey(0, 255).convert("LA"), "the mask is transparent in parts"),
        (
            grey(0, 255).resize((WIDTH * 2, HEIGHT)),
            "the image is 80×30 pixels and the one",
        ),
    ],
)
def test_a_mask_that_nobody_can_tell_is_refused(image: Image.Image, told: str) -> None:
    refused(told, lambda: load_mask(as_png(image), "a.png", WIDTH, HEIGHT))


def write_samples(root: Path) -> pa.Table:
    write_reasonseg(root)
    return reasonseg.read(root, "val")


LARGER = [polygon(100, 70, 200, 150)]
RUNS = compressed(square())
ANSWERS: list[tuple[Any, int | str]] = [
    ({"segmentation": RUNS}, ALL),
    ({"segmentation": [RUNS]}, ALL),
    ({"segmentation": square().astype(int).tolist()}, ALL),
    ({"segmentation": (square() * 255).tolist()}, ALL),
    ({"segmentation": square().tolist()}, ALL),
    ({"segmentation": np.zeros((HEIGHT, WIDTH), int).tolist()}, 0),
    ({"segmentation": []}, 0),
    ({"segmentation": RUNS | {"counts": ""}}, "a run-length encoding that does not fit"),
    ({"segmentation": RUNS | {"counts": f"b'{RUNS['counts']}'"}}, "encoding that does not fit"),
    ({"segmentation": LARGER}, "its polygons go to 200, 150 in an image of 40×30"),
    ({"segmentation": [polygon(20, 10, 80, 20)]}, "its polygons go to 80, 20 in"),
    ({"segmentation": [polygon(41, 10, 41.5, 20)]}, "polygons cover no pixel of the image"),
    ({"segmentation": [[0.1, 0.1, 0.5, 0.1, 0.5, 0.9]]}, "all lie between 0 and 1"),
    ({"segmentation": [[0, 1, 1, 0]] * 3}, "3 rows of 4 pixels, and its image has 30 of 40"),
    ({"mask": RUNS}, "result 1 has neither `segmentation` nor `bbox`"),
    ({"bbox": [0.1, 0.2, 0.5, 0.6], "segmentation": RUNS}, "boxes all lie between 0 and 1"),
    ({"bbox": [1, 2, -3, 4]}, r"its bbox .* is not \[x, y, width, height\]"),
    ({"bbox": [True, 2, 3, 4]}, r"is not \[x, y, width, height\]"),
    ({"bbox": [1, 2, 1e308, 1e308]}, r"is not \[x, y, width, height\]"),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_an_answer_is_read_as_what_it_is_or_refused(
    tmp_path: Path, answer: dict[str, Any], expected: int | str
) -> None:
    samples, path = write_samples(tmp_path), tmp_path / "answers.JSON"
    content = json.dumps([{"sample_id": "reasonseg/val/a"} | answer])
    path.write_text(content, encoding="utf-8-sig")
    if isinstance(expected, str):
        refused(expected, lambda: import_predictions(path, samples, "mask"))
    else:
        (found,) = import_predictions(path, samples, "mask").to_pylist()
        assert masks.decode_mask(found["mask"]).sum() == expected


def test_samples_that_stand_twice_are_not_scored(tmp_path: Path) -> None:
    samples = write_samples(tmp_path)
    twice = pa.concat_tables([samples, samples])
    refused(
        "the samples have 'reasonseg/val/a' twice",
        lambda: score(twice, samples.select(["sample_id", "mask"]), "seg_zero"),
    )


# Parquet


def change_samples(**columns: Any) -> Callable[[Path], object]:
    """Samples of one row, some cells replaced."""

    def write(root: Path) -> None:
        samples = write_samples(root)
        for name, value in columns.items():
            field = samples.schema.field(name)
            column = pa.array([value], field.type)
            samples = samples.set_column(samples.schema.names.index(name), field, column)
        pq.write_table(samples, root / "samples.parquet")

    return write


def write_twice(root: Path) -> None:
    samples = write_samples(root)
    pq.write_table(pa.concat_tables([samples, samples]), root / "samples.parquet")


def write_doubled(root: Path) -> None:
    samples = write_samples(root)
    doubled = samples.append_column("query", samples["query"])
    pq.write_table(doubled, root / "samples.parquet")


def write_bytes_as_text(root: Path) -> None:
    samples = write_samples(root)
    raw = pa.array([b"caf\xe9"], pa.binary())
    text = pa.StringArray.from_buffers(1, *raw.buffers()[1:])
    column = samples.schema.names.index("query")
    pq.write_table(samples.set_column(column, "query", text), root / "samples.parquet")


def flip_bytes(root: Path) -> None:
    change_samples()(root)
    path = root / "samples.parquet"
    data = bytearray(path.read_bytes())
    data[4:100] = b"\xff" * 96
    path.write_bytes(data)


OUT = "leads out of the data root"
PARQUET: list[tuple[Callable[[Path], object], str]] = [
    (change_samples(sample_id=None), r"samples.parquet, row 0: its sample_id is null"),
    (change_samples(image_path=None), "its image_path is null"),
    (change_samples(image_path="/etc/passwd"), OUT),
    (change_samples(image_path="ReasonSeg/../../x.jpg"), OUT),
    (change_samples(image_path="a\0.jpg"), OUT),
    (change_samples(width=0), "says that its image is 0×30 pixels"),
    (change_samples(height=-1), "says that its image is 40×-1 pixels"),
    (write_twice, "the sample_id 'reasonseg/val/a' stands twice"),
    (write_doubled, "has the column 'query' twice"),
    (write_bytes_as_text, "not a readable Parquet file .*UTF8"),
    (flip_bytes, "not a readable Parquet file"),
    (lambda root: (root / "samples.parquet").write_bytes(b"PAR1" * 3), "not a readable Parquet"),
    (lambda root: (root / "samples.parquet").mkdir(), "is no regular file"),
]


@pytest.mark.parametrize(("write", "told"), PARQUET)
def test_a_bad_table_of_samples_is_named(
    tmp_path: Path, write: Callable[[Path], object], told: str
) -> None:
    write(tmp_path)
    refused(told, lambda: load_samples(tmp_path / "samples.parquet"))


@pytest.mark.parametrize(
    ("size", "data", "told"),
    [
        (b"x", b"", "not a file of resized images"),
        (b"99999999999", b"", "not a file of resized images"),
        (b"8", b"GIF89a", "images.parquet, image a: not an image"),
        (b"8", as_png(Image.new("RGB", (9, 9))), "the image is 9×9 pixels and its annotation"),
        (b"8", None, "image a: not an image"),
    ],
)
def test_resized_images_of_another_are_refused(
    tmp_path: Path, size: bytes, data: bytes | None, told: str
) -> None:
    rows = {"image_id": ["a"], "width": [4], "height": [4], "resized": [data]}
    table = pa.table(rows, schemas.IMAGES).replace_schema_metadata({b"image_size": size})
    pq.write_table(table, tmp_path / "images.parquet")
    refused(told, lambda: ImageStore(tmp_path / "images.parquet").get("a"))


# Mirrors


def test_masks_may_be_pictures_in_a_mirror(tmp_path: Path) -> None:
    picture = as_png(grey(0, 255))
    for number, (kind, mask) in enumerate(
        [(pa.binary(), picture), (pa.struct([("bytes", pa.binary())]), {"bytes": picture})]
    ):
        root = tmp_path / str(number)
        (found,) = read_mirror(root, [row(root, mask=mask)], mask_type=kind).to_pylist()
        assert masks.decode_mask(found["mask"]).sum() == ALL


def test_the_first_sentence_with_words_is_asked_of_a_mirror(tmp_path: Path) -> None:
    rows = [row(tmp_path, text=["", "left ball"])]
    (found,) = read_mirror(tmp_path, rows, text=pa.list_(pa.string())).to_pylist()
    assert found["query"] == "left ball" and found["sample_id"].endswith("/1/1")


@pytest.mark.parametrize("name", ["..", ".", "", "a", "a/..", "../b", "a/b@main", "a/b/c", "a\0/b"])
def test_a_mirrors_name_is_no_path(tmp_path: Path, name: str) -> None:
    write_mirror(tmp_path, [row(tmp_path)])
    (tmp_path / "mirror_images").mkdir()
    (tmp_path / "mirror_images" / "mine").touch()
    refused("must be owner/name, as on the model hub", lambda: unpack_images(tmp_path, name))
    assert (tmp_path / "mirror_images" / "mine").exists()


# YAML

YAML: list[tuple[str, str]] = [
    ("a: 1\nb: 2\na: 3", r"line 3: the key 'a' stands twice"),
    ("a: {b: 1, b: 2}", "the key 'b' stands twice"),
    ("a: 010", "line 1: '010' is another number or a date to YAML"),
    ("a: 1:30", "'1:30' is another number"),
    ("a: -1:30.5", "'-1:30.5' is another number"),
    ("a: 2026-13-45", "'2026-13-45' is another number or a date"),
    ("a: " + "9" * 5000, "has too many digits"),
    ("a: &x [*x]", "line 1 holds itself by an alias"),
    ("a: " + "[" * 100_000, "too deep in one another"),
    ("".join(" " * n + "a:\n" for n in range(500)), "too deep in one another"),
    ('a: "\\ud83d"', "is no valid Unicode"),
    ('a: "\\0"', "is no valid Unicode"),
    ("a: !!python/object/apply:os.system [ls]", "has the tag .*; leave it out"),
    ("a: !!int x", "has the tag"),
    ("a: !!bool x", "has the tag"),
    ("? [a]\n: b", "a key is a list or a mapping"),
    ("a: \x07", "not valid YAML"),
    ("a: 0b_", "not valid YAML"),
    ("- a", "must be a mapping"),
    ("a: " + "b" * 300_000, "has more than 200,000 bytes"),
]


@pytest.mark.parametrize(("text", "told"), YAML)
def test_yaml_that_means_something_else_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    refused(rf"a\.yaml: .*{told}", lambda: read_mapping(tmp_path / "a.yaml"))


def test_plain_yaml_is_read(tmp_path: Path) -> None:
    text = "\ufeffa: &x {b: 1.5, c: '010'}\nd: [*x, *x]\ne: {<<: *x, b: -2}\nf: 1e-6\ng: ~\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    below = {"b": 1.5, "c": "010"}
    found = {"a": below, "d": [below, below], "e": below | {"b": -2}, "f": "1e-6", "g": None}
    assert read_mapping(tmp_path / "a.yaml") == found


@pytest.mark.parametrize("extends", ["a", "b", "../a", "[a]"])
def test_a_scale_extends_another(tmp_path: Path, extends: str) -> None:
    (tmp_path / "a.yaml").write_text(f"extends: {extends}")
    (tmp_path / "b.yaml").write_text("extends: a")
    refused("extends = .*: must be the name of another", lambda: read_scale(tmp_path / "a.yaml"))


# Archives


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("set/" + "a" * 300, "has a name that is too long or too deep"),
        ("set/" + "é" * 120, "has a name that is too long or too deep"),
        ("set/" + "a/" * 2_000 + "b", "has a name that is too long or too deep"),
        ("set/a\0b", "is no path inside the archive"),
    ],
)
def test_an_archive_whose_names_are_none_leaves_nothing(
    tmp_path: Path, name: str, told: str
) -> None:
    archive = write_zip(tmp_path / "a.zip", {"set/good": b"x", name.replace("\0", "?"): b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"a?b", b"a\0b"))
    with pytest.raises(BadArchiveError, match=told):
        unpack_folder(archive, "set", tmp_path / "set")
    assert os.listdir(tmp_path) == ["a.zip"]


# Pictures


def test_a_tiff_with_texts_for_numbers_is_the_pictures_error() -> None:
    content, causes = io.BytesIO(), set()
    Image.new("RGB", (8, 8)).save(content, format="TIFF")
    for place in range(8, len(content.getvalue())):
        data = bytearray(content.getvalue())
        data[place] = 2  # where it is the kind of a tag, that of texts
        try:
            load_picture(bytes(data), "a")
        except UserError as error:
            causes.add(type(error.__cause__))
    assert TypeError in causes


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\x89PNG\r\n\x1a\n", "a: (not an image|the image is broken)"),
        (b"", "a: not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a: not an image"),
    ],
)
def test_whatever_a_decoder_raises_is_the_pictures_error(data: bytes, told: str) -> None:
    refused(told, lambda: load_picture(data, "a"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a\0.jpg", "embedded null byte"),
        ("a" * 300, "File name too long"),
        (".", "no regular"),
    ],
)
def test_a_name_that_is_none_is_one_sentence(tmp_path: Path, name: str, told: str) -> None:
    refused(told, lambda: check_image(tmp_path / name))
    refused(told, lambda: read_table(tmp_path / name))
    refused(told, lambda: read_mapping(tmp_path / name))


def test_nothing_of_the_data_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise UserError("a\x1b[2J\n\u202eb\udc80: broken.")

    with pytest.raises(SystemExit):
        run_command(fail)
    assert capsys.readouterr().err == "error: a\\x1b[2J\\n\\u202eb\\udc80: broken.\n"


# Memory


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What was said of each bomb, and the memory that it took, in a process of its own."""
    command = [sys.executable, small_bombs.__file__, str(tmp_path_factory.mktemp("bombs"))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("bomb", small_bombs.BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_small_file_takes_little_memory(
    taken: dict[str, dict[str, Any]], bomb: Callable[[Path], None]
) -> None:
    found = taken[bomb.__name__]
    assert found["mb"] <= 500
    assert found["said"].endswith(".") and "\n" not in found["said"]
