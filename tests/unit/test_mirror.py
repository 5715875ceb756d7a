"""Parquet mirrors: the same samples as the public layouts give, and what is said of bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_world import HEIGHT, WIDTH, truncate
from mirror_world import (
    LISTS,
    MIRROR,
    reasonseg_rows,
    refer_rows,
    row,
    square,
    write_mirror,
)

from samr1 import schemas
from samr1.config_data import WorldConfig
from samr1.data import masks, mirror, reasonseg, refer
from samr1.data.mirror_files import read_rows, shards_folder
from samr1.data.mirror_images import unpack_images
from samr1.errors import UserError
from samr1.evaluation.score import score
from samr1.micro.world import draw_world

RLE_STRUCT = pa.struct([("size", pa.list_(pa.int64())), ("counts", pa.string())])
PLAIN_STRUCT = pa.struct([("size", pa.list_(pa.int64())), ("counts", pa.list_(pa.int64()))])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The micro world in the public layouts, and three of its splits as mirrors, unpacked."""
    root = tmp_path_factory.mktemp("world") / "root"
    sizes = {name: 20 for name in WorldConfig.model_fields} | {"reasonseg_val": 60, "seed": 0}
    draw_world(WorldConfig(**sizes), root)
    write_mirror(root, refer_rows(root, "refcoco", "unc", "testA"), "o/refcoco", shards=3)
    write_mirror(root, refer_rows(root, "refcocog", "umd", "test"), "o/refcocog")
    write_mirror(root, reasonseg_rows(root, "val"), "o/reasonseg", shards=2)
    for name in ("o/refcoco", "o/refcocog", "o/reasonseg"):
        unpack_images(root, name)
    return root


def both(root: Path, name: str) -> tuple[pa.Table, pa.Table]:
    """The samples from the public layout and from the mirror."""
    if name == "reasonseg":
        return reasonseg.read(root, "val"), mirror.read(root, "reasonseg", "val", "o/reasonseg")
    split_by, split = ("unc", "testA") if name == "refcoco" else ("umd", "test")
    files = refer.read(root, name, split_by, split)
    return files, mirror.read(root, name, split, f"o/{name}", split_by)


def read(root: Path, rows: list[dict[str, Any]], **options: Any) -> pa.Table:
    """Write `rows` as a mirror of RefCOCOg, unpack it and read it."""
    types = {name: options.pop(name) for name in ("mask_type", "text") if name in options}
    write_mirror(root, rows, **types)
    policy = options.get("on_bad_sample", "stop")
    unpack_images(root, MIRROR, policy)
    arguments = {"dataset": "refcocog", "split": "test", "split_by": "umd"} | options
    return mirror.read(root, mirror=MIRROR, **arguments)


@pytest.mark.parametrize("name", ["refcoco", "refcocog", "reasonseg"])
def test_the_samples_are_those_of_the_public_layout(world: Path, name: str) -> None:
    files, mirrored = both(world, name)
    assert mirrored.schema.equals(schemas.SAMPLES)
    assert len(mirrored) >= 20
    same = ["dataset", "split", "image_id", "width", "height", "query", "sentence_index"]
    if name != "reasonseg":  # there the mirror has the ignored pixels in the target
        same += ["box", "mask", "ignore"]
    assert mirrored.select(same).equals(files.select(same))
    for theirs, ours in zip(files.to_pylist(), mirrored.to_pylist(), strict=True):
        original, unpacked = (world / each["image_path"] for each in (theirs, ours))
        assert unpacked.read_bytes() == original.read_bytes()
        assert unpacked.parent == world / "mirror_images" / f"o--{name}"
        target = masks.decode_mask(theirs["mask"])
        if theirs["ignore"] is not None:
            target |= masks.decode_mask(theirs["ignore"])
        assert np.array_equal(masks.decode_mask(ours["mask"]), target)
        assert ours["box"] == masks.mask_box(target)
        assert ours["ignore"] is None


@pytest.mark.parametrize("name", ["refcoco", "refcocog", "reasonseg"])
def test_scored_predictions_are_equal(world: Path, name: str) -> None:
    files, mirrored = both(world, name)
    shifted = [
        masks.encode_mask(np.roll(masks.decode_mask(rle), 2, axis=1))
        for rle in mirrored["mask"].to_pylist()
    ]
    shifted[3] = None
    figures = []
    for samples in (files, mirrored):
        answers = pa.table(
            {"sample_id": samples["sample_id"], "mask": pa.array(shifted, schemas.RLE)}
        )
        scored = [score(samples, answers, "seg_zero", resamples=50)]
        if files["ignore"].null_count == len(files):
            scored.append(score(samples, answers, "lisa", resamples=50))
        figures.append(pa.concat_tables(scored))
    assert figures[0].equals(figures[1])
    # The world draws ignored regions, or the two routes would be compared on what is easy.
    assert (files["ignore"].null_count < len(files)) == (name == "reasonseg")


def encodings() -> list[Any]:
    """The square mask in every form that mirrors have it in."""
    rle = masks.encode_mask(square())
    text = {"size": rle["size"], "counts": rle["counts"].decode()}
    flat = square().flatten(order="F")
    starts = np.flatnonzero(np.diff(flat)) + 1
    plain = {"size": rle["size"], "counts": np.diff([0, *starts, flat.size]).tolist()}
    forms = [
        ("booleans", LISTS, square().tolist()),
        ("large lists", pa.large_list(pa.large_list(pa.bool_())), square().tolist()),
        ("0 and 1", pa.list_(pa.list_(pa.uint8())), square().astype(int).tolist()),
        ("compressed", RLE_STRUCT, text),
        ("bytes", schemas.RLE, rle),
        ("plain", PLAIN_STRUCT, plain),
        ("JSON", pa.string(), json.dumps(text)),
        ("plain JSON", pa.string(), json.dumps(plain)),
    ]
    return [pytest.param(kind, mask, id=name) for name, kind, mask in forms]


@pytest.mark.parametrize(("kind", "mask"), encodings())
def test_every_form_of_mask_is_read(tmp_path: Path, kind: pa.DataType, mask: Any) -> None:
    rows = [row(tmp_path, number, mask=mask) for number in (1, 2)]
    samples = read(tmp_path, rows, mask_type=kind)
    for one in samples.to_pylist():
        assert np.array_equal(masks.decode_mask(one["mask"]), square())
        assert one["box"] == [10, 5, 20, 15]


@pytest.mark.parametrize("listed", [True, False])
def test_sentences_are_one_a_ref_or_all(tmp_path: Path, listed: bool) -> None:
    if listed:
        rows = [row(tmp_path, 1, text=["left ball", "ball"]), row(tmp_path, 2, text=["a"])]
    else:
        rows = [
            row(tmp_path, number, text=text)
            for number, text in ((1, "left ball"), (2, "a"), (1, "ball "))
        ]
    kind = {"text": pa.list_(pa.string())} if listed else {}
    every = read(tmp_path, rows, sentences="all", **kind)
    told = sorted(zip(every["sample_id"].to_pylist(), every["query"].to_pylist(), strict=True))
    assert told == [
        ("refcocog/umd/test/1/0", "left ball"),
        ("refcocog/umd/test/1/1", "ball"),
        ("refcocog/umd/test/2/0", "a"),
    ]
    first = mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd")
    assert first["query"].to_pylist() == ["left ball", "a"]
    assert first["sentence_index"].to_pylist() == [0, 0]


@pytest.mark.parametrize(
    ("image_id", "path"),
    [
        ("7", None),
        ("000000000007", None),
        ("COCO_train2014_000000000007", None),
        ("ref_3", "COCO_train2014_000000000007.jpg"),
    ],
)
def test_an_image_has_cocos_number_however_it_is_written(
    tmp_path: Path, image_id: str, path: str | None
) -> None:
    image = row(tmp_path)["image"] | {"path": path}
    samples = read(tmp_path, [row(tmp_path, image_id=image_id, image=image)])
    assert samples["image_id"].to_pylist() == ["7"]
    assert (tmp_path / samples["image_path"][0].as_py()).stem == image_id


def test_images_may_be_bytes_alone_and_ids_numbers(tmp_path: Path) -> None:
    one = row(tmp_path, image_id=5, ann_id=6)
    write_mirror(tmp_path, [one | {"image": one["image"]["bytes"]}], image=pa.binary())
    assert unpack_images(tmp_path, MIRROR) == 1
    samples = mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd")
    assert samples["sample_id"].to_pylist() == ["refcocog/umd/test/6/0"]
    assert samples["image_id"].to_pylist() == ["5"]


def test_an_empty_mask_is_a_sample_of_reasonseg_alone(tmp_path: Path) -> None:
    rows = [row(tmp_path, mask=np.zeros((HEIGHT, WIDTH), bool).tolist())]
    samples = read(tmp_path, rows, dataset="reasonseg", split_by=None)
    assert samples["sample_id"].to_pylist() == ["reasonseg/test/1"]
    assert samples["box"].to_pylist() == [[0, 0, 0, 0]]
    with pytest.raises(UserError, match="row 0: its mask covers no pixel"):
        mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd")


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
    ({"text": "  "}, "its text has 0 characters"),
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
        read(tmp_path, rows)
    shard = shards_folder(tmp_path, MIRROR) / "data" / "test-00000-of-00001.parquet"
    assert str(caught.value).startswith(f"{shard}, row 3: ")
    assert message in str(caught.value)
    unpack_images(tmp_path, MIRROR, "skip")
    samples = mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd", on_bad_sample="skip")
    assert samples["query"].to_pylist() == ["ball 1", "ball 2", "ball 3"]
    assert "skipped 1 of 4" in capsys.readouterr().err


BAD_RLE: list[tuple[Any, str]] = [
    ({"size": [30, 40], "counts": "PPP"}, "does not fit it"),
    ({"size": [40, 30], "counts": "PPP"}, "size [40, 30], its image [30, 40]"),
    ({"size": [30, 40], "counts": [1, 2]}, "do not add up"),
    ({"size": [30, 40], "counts": [-1, 1201]}, "not whole numbers"),
    ({"counts": [1200]}, "size None"),
    ([1, 2], "neither lists of pixels nor a run-length encoding"),
]


@pytest.mark.parametrize(("mask", "message"), BAD_RLE)
def test_a_bad_run_length_encoding_is_named(tmp_path: Path, mask: Any, message: str) -> None:
    with pytest.raises(UserError, match="row 0: ") as caught:
        read(tmp_path, [row(tmp_path, mask=json.dumps(mask))], mask_type=pa.string())
    assert message in str(caught.value)


def test_masks_of_other_values_are_refused(tmp_path: Path) -> None:
    mask = (square() * 255).tolist()
    with pytest.raises(UserError, match="neither 0 nor 1"):
        read(tmp_path, [row(tmp_path, mask=mask)], mask_type=pa.list_(pa.list_(pa.uint8())))
    flat = pa.list_(pa.bool_())
    other = tmp_path / "other"
    with pytest.raises(UserError, match="not one of lines of pixels"):
        read(other, [row(tmp_path, mask=[True] * WIDTH * HEIGHT)], mask_type=flat)
    with pytest.raises(UserError, match="its mask is not JSON"):
        read(tmp_path / "third", [row(tmp_path, mask="PPP")], mask_type=pa.string())


def test_an_image_of_several_rows_is_written_once_and_must_be_one(tmp_path: Path) -> None:
    same = [row(tmp_path, 1, ann_id="8"), row(tmp_path, 1, ann_id="9")]
    samples = read(tmp_path, same)
    assert len(samples) == 2
    (written,) = (tmp_path / "mirror_images" / "owner--set_test").iterdir()
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
        read(tmp_path, rows, dataset="reasonseg", split_by=None)


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
    with pytest.raises(UserError, match="no such folder; run unpack_mirror"):
        mirror.read(tmp_path, "refcocog", "test", MIRROR, "umd")


def test_one_mask_is_in_memory_at_a_time(tmp_path: Path) -> None:
    folder = shards_folder(tmp_path, MIRROR)
    folder.mkdir(parents=True)
    count, side = 24, 500
    mask = pa.array([np.zeros((side, side), bool).tolist()], LISTS)
    table = pa.concat_tables([pa.table({"mask": mask})] * count).combine_chunks()
    pa.parquet.write_table(table, folder / "all.parquet", row_group_size=count)
    before = pa.total_allocated_bytes()
    held, rows = 0, 0
    for _, cells in read_rows(folder, ["mask"]):
        held = max(held, pa.total_allocated_bytes() - before)
        rows += len(cells["mask"])
    assert rows == count * side
    # Decoding takes 4 bytes a pixel for the levels of the two lists alone.
    assert held < 6 * 4 * side * side
