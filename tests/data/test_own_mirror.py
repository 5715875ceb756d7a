"""Data sets of one's own that lie as a Parquet mirror, their images unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_world import square
from hostile_data import refused
from mirror_world import MIRROR, row, write_mirror
from own_world import read_samples, save_picture, stage

from samr1.data.mirror_images import unpack_images
from samr1.data.own.reading import read_own, select_part


def write_mirrored(root: Path, splits: Sequence[str], **fields: Any) -> None:
    """A mirror with a picture and two texts in each of `splits`, its images unpacked."""
    for number, split in enumerate(splits):
        save_picture(root / f"pictures/COCO_train2014_{number:012d}.jpg", number)
        one = row(root, number, text=["Left ball", "it"], image_id=f"p{number}", **fields)
        write_mirror(root, [one], split=split, text=pa.list_(pa.string()))
    unpack_images(root, MIRROR, "skip")


def test_a_parquet_mirror_has_the_splits_of_its_files(tmp_path: Path) -> None:
    write_mirrored(tmp_path, ("train", "validation", "test"))
    settings = stage(tmp_path, "mirror", mirror=MIRROR, test_split="validation")
    assert read_own(settings).left_out == {"of the split 'test', which is neither part": 2}
    rows = read_samples(settings)
    assert {name: (one["split"], one["query"]) for name, one in rows.items()} == {
        "train/0/0": ("train", "Left ball"),
        "train/0/1": ("train", "it"),
        "validation/1/0": ("test", "Left ball"),
        "validation/1/1": ("test", "it"),
    }
    (one,) = {one["image_path"] for one in rows.values() if one["split"] == "test"}
    assert one == "mirror_images/owner--set_test/p1.jpg"
    for one in rows.values():
        np.testing.assert_array_equal(one["mask"], square())


def test_a_parquet_mirror_without_both_parts_is_divided_by_images(tmp_path: Path) -> None:
    write_mirrored(tmp_path, ("train", "validation", "other"))
    reading = read_own(stage(tmp_path, "mirror", mirror=MIRROR, test_share=0.4))
    assert reading.left_out == {}
    assert [len(select_part(reading, part)) for part in ("train", "test")] == [4, 2]
    assert set(reading.samples["sample_id"].to_pylist()) >= {"mine/0/0", "mine/2/1"}


def test_folders_of_a_mirror_may_be_its_splits(tmp_path: Path) -> None:
    write_mirrored(tmp_path, ("train", "test"))
    folder = tmp_path / "mirrors/owner--set_test"
    for split in ("train", "test"):
        (folder / split).mkdir()
        (shard,) = folder.glob(f"data/{split}-*")
        shard.rename(folder / split / "0000.parquet")
    rows = read_samples(stage(tmp_path, "mirror", mirror=MIRROR))
    assert list(rows) == ["test/1/0", "test/1/1", "train/0/0", "train/0/1"]


BAD_MIRRORS = [
    ({"mask": [[True]]}, "test-00000-of-00001.parquet, row 0: its mask is 1×1 pixels"),
    ({"mask": (square() & False).tolist()}, "row 0: its mask covers no pixel"),
    ({"mask": None}, "row 0: it has no mask"),
    ({"image": {"bytes": b"none", "path": None}}, "row 0: its image p2 was not unpacked"),
    ({"text": [""]}, "row 0: sentence 0 has 0 characters"),
    ({"ann_id": "a b"}, "row 0: its ann_id 'a b' is not a name"),
]


@pytest.mark.parametrize(("fields", "told"), BAD_MIRRORS)
def test_a_bad_row_of_a_mirror_is_named_or_skipped(
    tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    write_mirrored(tmp_path, ("train",))
    save_picture(tmp_path / "pictures/COCO_train2014_000000000001.jpg", 1)
    good = row(tmp_path, 1, text=["a"], image_id="p1")
    bad = row(tmp_path, 2, text=["a"], image_id="p2") | fields
    write_mirror(tmp_path, [bad, good], text=pa.list_(pa.string()))
    unpack_images(tmp_path, MIRROR, "skip")
    refused(told, lambda: read_own(stage(tmp_path, "mirror", mirror=MIRROR)))
    reading = read_own(stage(tmp_path, "mirror", mirror=MIRROR, on_bad_sample="skip"))
    (said,) = reading.refused
    assert told in said
    assert {"mine/train/0/0", "mine/test/1/0"} <= set(reading.samples["sample_id"].to_pylist())


def test_it_is_said_what_a_mirror_lacks(tmp_path: Path) -> None:
    settings = stage(tmp_path, "mirror", mirror=MIRROR)
    told = f"unpack_mirror --root {tmp_path} --mirror owner/set_test first"
    refused(
        f"owner--set_test: no such folder; run python -m samr1.cli.{told}",
        lambda: read_own(settings),
    )
    (tmp_path / "mirror_images/owner--set_test").mkdir(parents=True)
    refused("mirrors/owner--set_test: no Parquet files here", lambda: read_own(settings))
    one = row(tmp_path)
    del one["ann_id"]
    write_mirror(tmp_path, [one])
    refused("lacks the column 'ann_id'; it has image, ", lambda: read_own(settings))
