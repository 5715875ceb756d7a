"""Data sets of one's own: tables in every form, and what Hugging Face's writer makes of them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_world import HEIGHT, WIDTH, plain_runs, square
from own_world import (
    read_samples,
    save_mask,
    save_picture,
    stage,
    write_photos,
    write_rows,
    write_table,
)
from pycocotools import mask as coco_mask

from samr1.data import masks
from samr1.data.own.reading import read_own

GUIDE = Path(__file__).parents[2] / "src/samr1/data/README.md"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "own"


# Tables


@pytest.mark.parametrize("file", ["questions.csv", "questions.jsonl", "questions.parquet"])
def test_a_table_in_every_form_is_read_as_its_rows_say(tmp_path: Path, file: str) -> None:
    write_rows(tmp_path / file, write_photos(tmp_path))
    rows = list(read_samples(stage(tmp_path, file=file)).values())
    assert len(rows) == 4
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(row.pop("mask"), square(10 + number))
        first = 2 if file.endswith(".csv") else 1  # as a spreadsheet counts; by line, or from 1
        assert row.pop("split") in ("train", "test")
        assert row == {
            "sample_id": f"mine/{number + first}",
            "dataset": "mine",
            "image_id": f"mine/img/{number}.png",
            "image_path": f"img/{number}.png",
            "width": WIDTH,
            "height": HEIGHT,
            "query": f"the thing, {number}",
            "sentence_index": 0,
            "box": [10 + number, 5, 20 + number, 15],
            "ignore": None,
        }


@pytest.mark.parametrize("file", ["questions.jsonl", "questions.parquet"])
def test_what_datasets_of_hugging_face_writes_is_read(tmp_path: Path, file: str) -> None:
    """`Dataset.to_json` and `to_parquet` of datasets 5.2: file_name, polygons as lists."""
    for number in range(4):
        save_picture(tmp_path / f"img/{number}.png", number)
    shutil.copy(FIXTURES / file, tmp_path)
    rows = list(read_samples(stage(tmp_path, file=file)).values())
    assert [row["query"] for row in rows] == [f"the thing, {number}" for number in range(4)]
    assert all((row["mask"] == square()).all() for row in rows)


def test_an_image_folder_of_hugging_face_has_its_metadata_in_a_folder_a_split(
    tmp_path: Path,
) -> None:
    for split, count in (("train", 3), ("test", 2)):
        lines = []
        for number in range(count):
            save_picture(tmp_path / split / f"{number}.png", number + 10 * count)
            runs = masks.encode_mask(square())
            told = {"size": runs["size"], "counts": runs["counts"].decode()}
            save_mask(tmp_path / split / f"mask_{number}.png", square())
            truths = {"segmentation": told}, {"mask_file_name": f"mask_{number}.png"}
            lines.append({"file_name": f"{number}.png", "text": "a thing"} | truths[number % 2])
        write_rows(tmp_path / split / "metadata.jsonl", lines)
    write_rows(tmp_path / "validation/metadata.jsonl", lines)
    settings = stage(tmp_path, file="metadata.jsonl")
    other = "the file metadata.jsonl of the split 'validation', which is neither part"
    assert read_own(settings).left_out == {other: 1}
    rows = read_samples(settings)
    assert list(rows) == ["train/1", "train/2", "train/3", "test/1", "test/2"]
    assert [row["split"] for row in rows.values()] == ["train"] * 3 + ["test"] * 2
    assert rows["test/2"]["image_path"] == "test/1.png"
    assert (rows["test/2"]["mask"] == square()).all()


def test_pictures_inside_a_parquet_file_are_put_beside_it_as_the_guide_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_photos(tmp_path / "plain")
    write_rows(tmp_path / "plain/questions.jsonl", rows)
    for row in rows:
        for column in ("image", "mask"):
            data = (tmp_path / "plain" / row[column]).read_bytes()
            row[column] = {"bytes": data, "path": row[column].split("/")[-1]}
    write_rows(tmp_path / "train.parquet", rows)
    (tmp_path / "my_photos").mkdir()
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    exec(code, {})
    found, plain = (
        read_samples(stage(tmp_path / name, file="questions.jsonl"))
        for name in ("my_photos", "plain")
    )
    for name, row in found.items():
        assert row["query"] == plain[name]["query"]
        assert (row["mask"] == plain[name]["mask"]).all()


def test_every_form_of_a_target_in_a_csv_is_the_same_mask(tmp_path: Path) -> None:
    runs = coco_mask.encode(np.asfortranarray(square().astype(np.uint8)))
    forms: list[Any] = [
        {"size": runs["size"], "counts": runs["counts"].decode()},
        {"size": [HEIGHT, WIDTH], "counts": plain_runs(square())},
        [[10, 5, 20, 5, 20, 15, 10, 15]],
        [[10, 5, 15, 5, 15, 15, 10, 15], [15, 5, 20, 5, 20, 15, 15, 15]],  # their union
    ]
    changes = [{"mask": None, "segmentation": form} for form in forms]
    write_table(tmp_path, *changes, {}, count=5)
    rows = list(read_samples(stage(tmp_path)).values())
    assert all((row["mask"] == square()).all() for row in rows[:4])
    assert (rows[4]["mask"] == square(14)).all()


@pytest.mark.parametrize("file", ["questions.csv", "questions.jsonl", "questions.parquet"])
@pytest.mark.parametrize("column", ["mask", "mask_file_names"])
def test_masks_of_several_objects_are_united(tmp_path: Path, file: str, column: str) -> None:
    rows = write_photos(tmp_path)
    names = [row.pop("mask") for row in rows]
    for number, row in enumerate(rows):
        row[column] = [names[number], names[(number + 1) % 4]]
    write_rows(tmp_path / file, rows)
    united = [row["mask"] for row in read_samples(stage(tmp_path, file=file)).values()]
    for number, mask in enumerate(united):
        assert (mask == square(10 + number) | square(10 + (number + 1) % 4)).all()


def test_an_absolute_path_may_lead_into_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "set")
    rows = write_photos(tmp_path / "set")
    write_rows(tmp_path / "set/questions.csv", rows)
    plain = read_own(stage(tmp_path / "set")).samples
    for row, root in zip(rows, ("set", "link", "set/../set", "set//"), strict=True):
        row |= {key: f"{tmp_path}/{root}/{row[key]}" for key in ("image", "mask")}
    write_rows(tmp_path / "set/questions.csv", rows)
    assert read_own(stage(tmp_path / "link")).samples.equals(plain)


def test_ids_splits_and_ignored_pixels_of_a_table(tmp_path: Path) -> None:
    save_mask(tmp_path / "masks/void.png", square(12))
    polygon = [[12, 5, 22, 5, 22, 15, 12, 15]]
    write_table(
        tmp_path,
        {"id": "a", "split": "train", "ignore": "masks/void.png"},
        {"id": "b", "split": "test", "ignore": json.dumps(polygon)},
        {"id": "c", "split": "val"},
        {"id": "d", "split": " train "},
    )
    settings = stage(tmp_path)
    rows = read_samples(settings)
    assert {name: row["split"] for name, row in rows.items()} == {
        **{"a": "train", "b": "test", "d": "train"}
    }
    assert read_own(settings).left_out == {"of the split 'val', which is neither part": 1}
    assert (rows["a"]["ignore"] == square(12)).all()
    assert (rows["a"]["mask"] == square(10) & ~square(12)).all()
    assert rows["a"]["box"] == [10, 5, 12, 15]
    assert (rows["b"]["ignore"] == square(12)).all()
    other = read_samples(stage(tmp_path, train_split="val", test_split="train"))
    assert {name: row["split"] for name, row in other.items()} == {
        **{"a": "test", "c": "train", "d": "test"}
    }


@pytest.mark.parametrize("file", ["questions.csv", "questions.jsonl", "questions.parquet"])
def test_splits_and_ids_may_be_numbers(tmp_path: Path, file: str) -> None:
    numbers = enumerate([0, 0, 1, 2])
    write_table(tmp_path, *({"id": 7 + at, "split": one} for at, one in numbers), file=file)
    rows = read_samples(stage(tmp_path, file=file, train_split="0", test_split="1"))
    assert {name: row["split"] for name, row in rows.items()} == {
        **{"7": "train", "8": "train", "9": "test"}
    }


def test_boxes_alone_leave_the_mask_unknown(tmp_path: Path) -> None:
    changes: list[Any] = [[1, 2, 30.5, 20], "1, 2, 30.5, 20", "[1, 2, 30.5, 20]"]
    write_table(tmp_path, *({"mask": None, "ignore": "x", "box": box} for box in changes), count=3)
    settings = stage(tmp_path, target="box")
    rows = list(read_samples(settings).values())
    assert read_own(settings).left_out == {"column 'ignore' of the table, which is not read": 1}
    assert [row["box"] for row in rows] == [[1, 2, 30.5, 20]] * 3
    assert all(row["mask"] is None and row["ignore"] is None for row in rows)


def test_semicolons_windows_paths_and_marks_are_those_of_spreadsheets(tmp_path: Path) -> None:
    write_photos(tmp_path)
    lines = ["image;question;mask", *(rf'img\{n}.png;"a; b";masks\{n}.png' for n in range(4)), ""]
    (tmp_path / "questions.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    rows = list(read_samples(stage(tmp_path)).values())
    assert [row["image_path"] for row in rows] == [f"img/{n}.png" for n in range(4)]
    assert {row["query"] for row in rows} == {"a; b"}


def test_a_cell_of_csv_may_hold_a_long_outline(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    outline = [10, 5, 20, 5, 20, 15, 10, 15] + [10.0, 10.0] * limit
    write_table(tmp_path, {"mask": None, "segmentation": [outline]}, count=2)
    (first, _) = read_samples(stage(tmp_path)).values()
    assert (first["mask"] == square()).all()
    assert csv.field_size_limit() == limit


def test_folders_of_images_and_masks_may_be_apart_from_the_table(tmp_path: Path) -> None:
    rows = write_photos(tmp_path)
    short = [{key: value.split("/")[-1] for key, value in row.items()} for row in rows]
    write_rows(tmp_path / "deep/questions.csv", short)
    settings = stage(tmp_path, file="deep/questions.csv", images="img", masks="masks")
    plain = stage(tmp_path)
    write_rows(tmp_path / "questions.csv", rows)
    assert read_own(settings).samples.equals(read_own(plain).samples)
