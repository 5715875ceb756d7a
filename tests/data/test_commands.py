"""The commands of the data: what they write, and what they leave when they fail."""

from __future__ import annotations

import importlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import exit_code
from data_world import ref, truncate, write_reasonseg, write_refer
from mirror_world import row, write_mirror
from own_world import stage, write_photos, write_rows

from samr1.cli import unpack_mirror
from samr1.config.schema import dump_stage
from samr1.core import schemas
from samr1.core.files import read_table
from samr1.data import reasonseg, refer
from samr1.data.mirror_images import unpack_images
from samr1.data.resizing import ImageStore
from samr1.data.samples import load_samples

REFER = "index_refer --root {root} --dataset refcocog --split-by umd --split test --no-check-counts"
SPLIT = "index_reasonseg --root {root} --split val --no-check-counts"
REASONSEG, LISA = f"{SPLIT} --dataset reasonseg", f"{SPLIT} --dataset lisa_grounding"
INDEX = "index_mirror --root {root} --mirror owner/set_test --no-check-counts --split test"
MIRROR = f"{INDEX} --dataset refcocog --split-by umd"


def run(command: str, root: Path, output: Path) -> int:
    """Run a command in this process; returns its exit code."""
    verb, *arguments = command.format(root=root).split(" ")
    return exit_code(importlib.import_module(f"samr1.cli.{verb}").main, *arguments, output=output)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_refer(tmp_path, [ref(number) for number in range(1, 9)])
    write_reasonseg(tmp_path)
    write_mirror(tmp_path, [row(tmp_path, number) for number in (1, 2, 3)])
    unpack_images(tmp_path, "owner/set_test")
    return tmp_path


@pytest.mark.parametrize(("part", "rows"), [("train", 3), ("test", 1), ("all", 4)])
def test_a_part_of_ones_own_data_is_written(tmp_path: Path, part: str, rows: int) -> None:
    write_rows(tmp_path / "questions.csv", write_photos(tmp_path))
    (tmp_path / "mine.yaml").write_text(dump_stage(stage(tmp_path)))
    output = tmp_path / "out.parquet"
    command = f"index_own --config {{root}}/mine.yaml --part {part}"
    assert run(command, tmp_path, output) == 0
    samples = load_samples(output)
    assert len(samples) == rows
    assert part == "all" or set(samples["split"].to_pylist()) == {part}
    assert b'"name":"mine"' in pq.read_schema(output).metadata[b"config"]
    (tmp_path / "questions.csv").unlink()
    output.unlink()
    assert run(command, tmp_path, output) == 1
    assert not output.exists()


def test_from_files_to_resized_training_images(root: Path) -> None:
    pool, drawn, images = (root / "out" / f"{name}.parquet" for name in ("pool", "train", "images"))
    assert run(f"{REFER} --sentences all", root, pool) == 0
    assert len(read_table(pool, schemas.SAMPLES)) == 16
    draw = f"sample_training --pool {pool} --count 5 --seed 0"
    assert run(draw, root, drawn) == 0
    resize = f"resize_images --samples {drawn} --root {root} --image-size 84"
    assert run(resize, root, images) == 0
    samples, store = read_table(drawn, schemas.SAMPLES), ImageStore(images)
    assert len(samples) == 5
    assert all(image_id in store for image_id in samples["image_id"].to_pylist())
    # Leaving out the images of a benchmark: here the five just drawn, so that three remain.
    rest = root / "out" / "rest.parquet"
    leave_out = f"sample_training --pool {pool} --count 3 --seed 0 --leave-out {drawn} {drawn}"
    assert run(leave_out, root, rest) == 0
    remaining = read_table(rest)["image_id"].to_pylist()
    assert not set(remaining) & set(samples["image_id"].to_pylist())


@pytest.mark.parametrize("command", [REFER, REASONSEG, LISA, MIRROR])
def test_the_same_bytes_twice_with_the_options_inside(root: Path, command: str) -> None:
    first, second = root / "out" / "first.parquet", root / "elsewhere" / "second.parquet"
    for output in (first, second):
        assert run(command, root, output) == 0
    assert first.read_bytes() == second.read_bytes()
    schema = pq.read_schema(first)
    assert schema.equals(schemas.SAMPLES)
    assert b'"split"' in schema.metadata[b"config"]
    assert str(root).encode() not in schema.metadata[b"config"]


@pytest.mark.parametrize("command", [REFER, REASONSEG, LISA])
def test_a_bad_sample_ends_in_one_line_and_no_file_or_is_counted(
    root: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    write_reasonseg(root, "b")
    truncate(root / "ReasonSeg" / "val" / "b.jpg")
    truncate(root / "train2014" / "COCO_train2014_000000000001.jpg")
    output = root / "out" / "samples.parquet"
    assert run(command, root, output) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "the image is broken" in line
    assert not output.parent.exists()
    assert run(f"{command} --on-bad-sample skip", root, output) == 0
    assert "skipped 1 of" in capsys.readouterr().err
    assert len(read_table(output)) == (7 if command == REFER else 1)


def test_a_mirrors_images_are_unpacked_or_its_bad_row_ends_in_one_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = row(root, 2)
    broken["image"]["bytes"] = broken["image"]["bytes"][:-300]
    write_mirror(root, [row(root, 1), broken], "o/broken")
    folder = root / "mirror_images" / "o--broken"

    def unpack(policy: str) -> int:
        told = {"root": root, "mirror": "o/broken", "on_bad_sample": policy}
        return exit_code(unpack_mirror.main, **told)

    assert unpack("stop") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "row 1: the image is broken" in line
    assert not folder.exists()
    assert unpack("skip") == 0
    assert "skipped 1 of 2" in capsys.readouterr().err
    assert [path.name for path in folder.glob("[!.]*")] == ["1.jpg"]


def test_a_root_may_be_a_string(root: Path) -> None:
    assert len(refer.read(str(root), "refcocog", "umd", "test")) == 8
    assert len(reasonseg.read(str(root), "val")) == 1


def test_too_few_refs_name_the_pool(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool, output = root / "pool.parquet", root / "out" / "train.parquet"
    assert run(REFER, root, pool) == 0
    draw = f"sample_training --pool {pool} --count 9 --seed 0"
    assert run(draw, root, output) == 1
    assert f"{pool}: the pool has 8 refs" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    "command",
    [
        "index_refer --root {root} --dataset coco --split-by umd --split test",
        SPLIT,
        "index_reasonseg --dataset reasonseg --split val",
        f"{REASONSEG} --on-bad-sample ask",
        f"{INDEX} --dataset refcocog",
        f"{INDEX} --dataset reasonseg --split-by umd",
        f"{INDEX} --dataset reasonseg --sentences all",
        f"{INDEX} --dataset lisa_grounding",
        f"{REASONSEG} --split caf\udce9",
        f"{MIRROR} --split caf\udce9",
        f"{MIRROR} --split-by caf\udce9",
        f"{REFER} --split-by caf\udce9",
        "sample_training --pool {root}/pool.parquet --count 0 --seed 0",
        "resize_images --samples {root}/s.parquet --root {root} --image-size 0",
    ],
)
def test_wrong_usage_is_exit_code_2(root: Path, command: str) -> None:
    assert run(command, root, root / "out.parquet") == 2


def test_samples_that_are_no_samples_are_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = root / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    command = f"resize_images --samples {other} --root {root} --image-size 8"
    assert run(command, root, root / "out.parquet") == 1
    assert f"{other}: lacks the column 'sample_id'" in capsys.readouterr().err
