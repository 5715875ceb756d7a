"""Parquet mirrors that are not as they should be: each is refused in one sentence, or skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_world import HEIGHT, WIDTH, square, truncate
from mirror_world import MIRROR, read_mirror, row, write_mirror

from samr1.core.errors import UserError
from samr1.data import mirror
from samr1.data.mirror_files import shards_folder
from samr1.data.mirror_images import unpack_images


def wide() -> list[list[bool]]:
    return np.ones((HEIGHT, WIDTH + 1), bool).tolist()


def with_hole() -> list[list[bool | None]]:
    lines: list[list[bool | None]] = square().tolist()
    lines[3][4] = None
    return lines


BAD: list[tuple[dict[str, Any], str]] = [
    ({"mask": wide()}, "its mask is 41×30 pixels and its image 40×30"),
    ({"mask": square().T.tolist()}, "its mask is 30×40 pixels and its image 40×30"),
    ({"mask": [*square().tolist()[:-1], [True]]}, "lines of 1 to 40 pixels"),
    ({"mask": with_hole()}, "pixels that are null"),
    ({"mask": []}, "its mask is 0×0 pixels"),
    ({"mask": None}, "it has no mask"),
    ({"text": "  "}, "sentence 0 has 0 characters"),
    ({"text": None}, "its text is neither a sentence nor"),
    ({"image_id": "../../etc/x"}, "image_id '../../etc/x' is not a name"),
    ({"ann_id": None}, "its ann_id 'None' is not a name"),
    ({"image_id": "ref_4", "image": "nameless"}, "neither COCO's number nor"),
    ({"img_width": 41}, "the image is 40×30 pixels and its annotation says 41×30"),
    ({"image": {"bytes": None, "path": "a.jpg"}}, "it has no image"),
    ({"image": "broken"}, "the image is broken"),
    ({"image": {"bytes": b"no image at all", "path": None}}, "not an image that can be read"),
]


@pytest.mark.parametrize(("fields", "message"), BAD)
def test_a_bad_row_is_named_or_skipped(
    tmp_path: Path,
    fields: dict[str, Any],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = row(tmp_path, 4)["image"]
    if fields.get("image") == "broken":
        fields = fields | {"image": good | {"bytes": good["bytes"][:-300]}}
    if fields.get("image") == "nameless":
        fields = fields | {"image": good | {"path": "a.jpg"}}
    rows = [row(tmp_path, 1), row(tmp_path, 2), row(tmp_path, 3), row(tmp_path, 4, **fields)]
    with pytest.raises(UserError) as caught:
        read_mirror(tmp_path, rows)
    shard = shards_folder(tmp_path, MIRROR) / "data" / "test-00000-of-00001.parquet"
    assert str(caught.value).startswith(f"{shard}, row 3: ")
    assert message in str(caught.value)
    unpack_images(tmp_path, MIRROR, "skip")
    samples = mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd", on_bad_sample="skip")
    assert samples["query"].to_pylist() == ["ball 1", "ball 2", "ball 3"]
    assert "skipped 1 of 4" in capsys.readouterr().err


BAD_TEXTS: list[tuple[str, str]] = [
    ("PPP", "its mask is not JSON"),
    ("[1, 2]", "its mask is neither lists of pixels nor a run-length encoding"),
    ('{"size": [40, 30], "counts": "PPP"}', r"size \[40, 30\], its image \[30, 40\]"),
]


@pytest.mark.parametrize(("mask", "message"), BAD_TEXTS)
def test_a_text_that_is_no_run_length_encoding_is_named(
    tmp_path: Path, mask: str, message: str
) -> None:
    with pytest.raises(UserError, match=f"row 0: .*{message}"):
        read_mirror(tmp_path, [row(tmp_path, mask=mask)], mask_type=pa.string())


def test_masks_of_other_values_are_refused(tmp_path: Path) -> None:
    mask = (square() * 255).tolist()
    with pytest.raises(UserError, match="neither 0 nor 1"):
        read_mirror(tmp_path, [row(tmp_path, mask=mask)], mask_type=pa.list_(pa.list_(pa.uint8())))
    flat = pa.list_(pa.bool_())
    other = tmp_path / "other"
    with pytest.raises(UserError, match="not one of lines of pixels"):
        read_mirror(other, [row(tmp_path, mask=[True] * WIDTH * HEIGHT)], mask_type=flat)


def test_an_image_of_several_rows_is_written_once_and_must_be_one(tmp_path: Path) -> None:
    same = [row(tmp_path, 1, ann_id="8"), row(tmp_path, 1, ann_id="9")]
    samples = read_mirror(tmp_path, same)
    assert len(samples) == 2
    (written,) = (tmp_path / "mirror_images" / "owner--set_test").glob("[!.]*")
    assert written.name == "1.jpg"
    other = row(tmp_path, 2)["image"]
    other["bytes"] += b"\0"
    write_mirror(tmp_path, [same[0], same[1] | {"image": other}], "o/other")
    with pytest.raises(UserError, match="row 1: a row before it has another image of image_id 1"):
        unpack_images(tmp_path, "o/other")
    assert not (tmp_path / "mirror_images" / "o--other").exists()


def test_a_row_twice_is_bad_in_reasonseg(tmp_path: Path) -> None:
    rows = [row(tmp_path, 1), row(tmp_path, 1)]
    with pytest.raises(UserError, match="row 1: a row before it has the same ann_id, 1"):
        read_mirror(tmp_path, rows, dataset="reasonseg", split_by=None)


@pytest.mark.parametrize("column", ["image", "text", "mask", "image_id", "ann_id"])
def test_a_missing_column_names_the_file(tmp_path: Path, column: str) -> None:
    rows = [row(tmp_path)]
    del rows[0][column]
    (path,) = write_mirror(tmp_path, rows)
    (tmp_path / "mirror_images" / "owner--set_test").mkdir(parents=True)
    with pytest.raises(UserError) as caught:
        if column in ("image", "image_id"):
            unpack_images(tmp_path, MIRROR)
        else:
            mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd")
    assert str(caught.value).startswith(f"{path}: lacks the column '{column}'; it has ")


def overwrite(path: Path) -> None:
    """Damage the pages, not the footer: the file opens and breaks when it is read."""
    data = bytearray(path.read_bytes())
    data[4:400] = b"\xff" * 396
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, overwrite, lambda path: path.write_text("x")])
def test_a_broken_file_is_named(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    good, bad = write_mirror(tmp_path, [row(tmp_path, n) for n in (1, 2, 3, 4)], shards=2)
    damage(bad)
    with pytest.raises(UserError) as caught:
        unpack_images(tmp_path, MIRROR, "skip")
    assert str(caught.value).startswith(f"{bad}: ")
    assert str(caught.value).endswith("fetch it again.")
    assert not (tmp_path / "mirror_images" / "owner--set_test").exists()
    assert good.exists()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mirrors/owner--set_test: no Parquet files here"):
        unpack_images(tmp_path, MIRROR)
    write_mirror(tmp_path, [row(tmp_path)])
    with pytest.raises(UserError, match=r"no such folder; run python -m samr1\.cli\.unpack_m"):
        mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd")
