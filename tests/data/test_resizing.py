"""Resizing once, and reading the results by image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_world import HEIGHT, WIDTH, ref, save_image, truncate, write_refer
from PIL import Image

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.files import atomic_file
from samr1.data import refer, resizing
from samr1.data.images import load_rgb
from samr1.data.resizing import ImageStore, resize_images

COUNT = 3 * resizing.ROWS_PER_GROUP + 1


@pytest.fixture
def samples(tmp_path: Path) -> pa.Table:
    """Two refs an image, on images that differ."""
    refs = [
        ref(number, image_id=number % COUNT, ann_id=number % COUNT) for number in range(2 * COUNT)
    ]
    write_refer(tmp_path, refs)
    for number in range(COUNT):
        pixels = np.full((HEIGHT, WIDTH, 3), number * 5, np.uint8)
        pixels[: number % HEIGHT, :, 0] = 255
        Image.fromarray(pixels).save(image_path(tmp_path, number), quality=95)
    return refer.read(tmp_path, "refcocog", "umd", "test")


def image_path(root: Path, number: int) -> Path:
    return root / "train2014" / f"COCO_train2014_{number:012d}.jpg"


def test_a_row_an_image_in_small_row_groups(tmp_path: Path, samples: pa.Table) -> None:
    output = tmp_path / "out" / "images.parquet"
    resize_images(samples, tmp_path, 84, output)
    file = pq.ParquetFile(output)
    assert file.schema_arrow.equals(schemas.IMAGES)
    assert file.num_row_groups == 4
    rows = file.read().to_pylist()
    assert [row["image_id"] for row in rows] == [str(number) for number in range(COUNT)]
    assert {(row["width"], row["height"]) for row in rows} == {(WIDTH, HEIGHT)}


def test_the_store_gives_each_image_as_pil_resizes_it(tmp_path: Path, samples: pa.Table) -> None:
    output = tmp_path / "images.parquet"
    resize_images(samples, tmp_path, 84, output)
    store = ImageStore(output)
    assert store.image_size == 84
    assert "3" in store and str(COUNT) not in store
    for number in np.random.default_rng(0).permutation(COUNT):
        image = store.get(str(number))
        assert (image.mode, image.size) == ("RGB", (84, 84))
        original = Image.fromarray(load_rgb(image_path(tmp_path, number)))
        expected = original.resize((84, 84), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    with pytest.raises(UserError, match=r"images\.parquet: has no image 999"):
        store.get("999")


def test_few_row_groups_are_kept(
    tmp_path: Path, samples: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resizing, "CACHED_GROUPS", 2)
    resize_images(samples, tmp_path, 8, tmp_path / "images.parquet")
    store = ImageStore(tmp_path / "images.parquet")
    read, read_group = [], pq.ParquetFile.read_row_group

    def watched(file: pq.ParquetFile, group: int, columns: list[str]) -> pa.Table:
        read.append(group)
        return read_group(file, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", watched)
    # Row groups 0, 1, 0, 2, where the one used least lately is 1, and again.
    for number in (0, 20, 1, 40, 2, 41, 21):
        store.get(str(number))
    assert read == [0, 1, 2, 1]


def test_the_same_bytes_twice(tmp_path: Path, samples: pa.Table) -> None:
    outputs = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for output in outputs:
        resize_images(samples, tmp_path, 84, output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_a_bad_image_leaves_no_file(tmp_path: Path, samples: pa.Table) -> None:
    path = image_path(tmp_path, COUNT - 1)  # after whole row groups have been written
    output = tmp_path / "out" / "images.parquet"
    save_image(path)
    truncate(path)
    with pytest.raises(UserError, match=r"sample refcocog/umd/test/48/0: .*48\.jpg: .* broken"):
        resize_images(samples, tmp_path, 84, output)
    save_image(path, WIDTH, HEIGHT + 1)
    with pytest.raises(UserError, match=r"48\.jpg: the image is 40×31 pixels and sample .* 40×30"):
        resize_images(samples, tmp_path, 84, output)
    path.unlink()
    with pytest.raises(UserError, match=r"48\.jpg: no such file"):
        resize_images(samples, tmp_path, 84, output)
    assert list(output.parent.iterdir()) == []


def test_what_a_killed_resizing_left_is_removed(tmp_path: Path, samples: pa.Table) -> None:
    output = tmp_path / "out" / "images.parquet"
    killed = atomic_file(output)
    killed.__enter__().write_bytes(b"PAR1")
    resize_images(samples, tmp_path, 8, output)
    assert list(output.parent.iterdir()) == [output]


def test_an_image_id_with_two_files_is_refused(tmp_path: Path, samples: pa.Table) -> None:
    column = samples.schema.get_field_index("image_id")
    same = samples.set_column(column, "image_id", pa.array(["1"] * len(samples)))
    with pytest.raises(UserError, match=r"image_id 1: .* two files"):
        resize_images(same, tmp_path, 84, tmp_path / "images.parquet")


def test_a_store_of_another_file_is_refused(tmp_path: Path, samples: pa.Table) -> None:
    (tmp_path / "text.parquet").write_text("text")
    pq.write_table(samples, tmp_path / "samples.parquet")
    for name, message in {
        "none.parquet": "no such file",
        "text.parquet": "not a readable Parquet file",
        "samples.parquet": "not a file of resized images",
    }.items():
        with pytest.raises(UserError, match=f"{name}: {message}"):
            ImageStore(tmp_path / name)
