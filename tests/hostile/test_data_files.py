"""Tables, mirrors and YAML of strangers, and how much memory small files take.

Memory is measured in a process of its own (`small_bombs`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_bombs
from hostile_data import ALL, as_png, grey, refused, write_samples
from mirror_world import read_mirror, row, write_mirror
from PIL import Image

from samr1.config.errors import read_mapping
from samr1.config.merge import read_scale
from samr1.core import schemas
from samr1.data import masks
from samr1.data.mirror_images import unpack_images
from samr1.data.resizing import ImageStore
from samr1.data.samples import load_samples

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
    (
        lambda root: (root / "samples.parquet").write_bytes(b"PAR1" * 9 + b"\0\0\0\x20PAR1"),
        "a footer of 536,870,912 bytes",
    ),
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
    ("a: {1: x, +1: y}", r"the key '\+1' stands twice"),
    ("a: {1: x, 0x1: y}", "the key '0x1' stands twice"),
    ("a: {1: x, 1.0: y}", r"the key '1\.0' stands twice"),
    ("a: {yes: x, true: y}", "the key 'true' stands twice"),
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


# Memory


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What was said of each bomb, and the memory that it took, in a process of its own."""
    command = [sys.executable, small_bombs.__file__, str(tmp_path_factory.mktemp("bombs"))]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=400)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr[-3000:]
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("bomb", small_bombs.BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_small_file_takes_little_memory(
    taken: dict[str, dict[str, Any]], bomb: Callable[[Path], None]
) -> None:
    found = taken[bomb.__name__]
    assert found["mb"] <= 500 and found["seconds"] <= 10
    assert found["said"].endswith(".") and "\n" not in found["said"]
