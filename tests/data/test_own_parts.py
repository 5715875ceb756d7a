"""The parts of a data set of one's own: an image is never in both, under whatever name."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hostile_data import refused
from own_world import Row, save_picture, stage, write_photos, write_rows, write_table
from PIL import Image

from samr1.data.own.reading import read_own, select_part


def parts(root: Path, **keys: object) -> dict[str, str]:
    """The part of each image."""
    samples = read_own(stage(root, **keys)).samples
    return dict(zip(samples["image_path"].to_pylist(), samples["split"].to_pylist(), strict=True))


def test_a_share_of_the_images_is_drawn_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = write_photos(tmp_path, 20)
    write_rows(tmp_path / "questions.csv", rows)
    drawn = parts(tmp_path, test_share=0.3)
    assert sorted(drawn.values()) == ["test"] * 6 + ["train"] * 14
    random.Random(0).shuffle(rows)
    write_rows(tmp_path / "questions.csv", rows)
    assert parts(tmp_path, test_share=0.3) == drawn
    others = [parts(tmp_path, test_share=0.3, seed=seed) for seed in range(1, 4)]
    assert all(other != drawn and len(set(other.values())) == 2 for other in others)


def test_an_image_keeps_its_part_when_it_is_renamed_or_others_go(tmp_path: Path) -> None:
    rows = write_photos(tmp_path, 20)
    write_rows(tmp_path / "questions.csv", rows)
    drawn = parts(tmp_path, test_share=0.5)
    for row in rows:
        new = row["image"].replace("img/", "img/other_")
        (tmp_path / row["image"]).rename(tmp_path / new)
        row["image"] = new
    write_rows(tmp_path / "questions.csv", rows)
    renamed = parts(tmp_path, test_share=0.5)
    assert {name.replace("other_", ""): part for name, part in renamed.items()} == drawn


@pytest.mark.parametrize(("share", "tested"), [(0.01, 1), (0.99, 2)])
def test_both_parts_have_an_image(tmp_path: Path, share: float, tested: int) -> None:
    write_table(tmp_path, count=3)
    assert list(parts(tmp_path, test_share=share).values()).count("test") == tested


def write_copies(root: Path) -> list[Row]:
    """Ten photos, each a second time: the same pixels in another file, of another format."""
    rows = write_photos(root, 10)
    for row in rows[:10]:
        copy = row["image"].replace("img/", "copies/").replace(".png", ".bmp")
        (root / "copies").mkdir(exist_ok=True)
        Image.open(root / row["image"]).save(root / copy)
        rows.append({**row, "image": copy})
    write_rows(root / "questions.csv", rows)
    return rows


def test_files_of_the_same_pixels_are_in_one_part_and_named(tmp_path: Path) -> None:
    write_copies(tmp_path)
    for seed in range(5):
        drawn = parts(tmp_path, test_share=0.5, seed=seed)
        for number in range(10):
            assert drawn[f"img/{number}.png"] == drawn[f"copies/{number}.bmp"]
    groups = read_own(stage(tmp_path)).same_pixels
    assert sorted(groups) == [[f"copies/{n}.bmp", f"img/{n}.png"] for n in range(10)]


def test_an_image_in_both_of_the_datas_own_splits_is_refused_or_leaves_training(
    tmp_path: Path,
) -> None:
    save_picture(tmp_path / "img/9.png", 1)  # the pixels of the second photo
    write_table(
        tmp_path,
        *({"split": "train"}, {"split": "train"}, {"split": "test", "image": "img/9.png"}),
        {"split": "test"},
    )
    settings = stage(tmp_path)
    told = r"questions.csv, row 3: its image is in the test part too, .*questions.csv, row 4; keep"
    refused(told, lambda: read_own(settings))
    samples = read_own(settings, "skip").samples
    assert samples["sample_id"].to_pylist() == ["mine/2", "mine/4", "mine/5"]


def test_a_part_without_a_sample_cannot_be_chosen(tmp_path: Path) -> None:
    write_table(tmp_path, *({"split": "train"},) * 4)
    reading = read_own(stage(tmp_path))
    assert len(select_part(reading, "train")) == 4
    refused("has no sample of the part test", lambda: select_part(reading, "test"))


def test_one_image_makes_no_parts(tmp_path: Path) -> None:
    write_table(tmp_path, count=1)
    refused("has one image, and the two parts need one each", lambda: read_own(stage(tmp_path)))
    shutil.rmtree(tmp_path / "img")
    refused("row 2: .*0.png: no such file", lambda: read_own(stage(tmp_path)))
