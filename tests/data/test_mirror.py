"""Parquet mirrors: the same samples as the public layouts give, and what is said of bad ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from data_world import HEIGHT, WIDTH, plain_runs, square
from fetch_server import serve_hub
from mirror_world import LISTS, MIRROR, read_mirror, reasonseg_rows, refer_rows, row, write_mirror
from scoring import score

from samr1.config.data import WorldConfig
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.core.files import atomic_folder
from samr1.data import masks, mirror, reasonseg, refer
from samr1.data.mirror_files import fetch_mirror, images_folder, read_rows, shards_folder
from samr1.data.mirror_images import unpack_images
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
        scored = [score(samples, answers, "seg_zero")]
        if files["ignore"].null_count == len(files):
            scored.append(score(samples, answers, "lisa"))
        figures.append(pa.concat_tables(scored))
    assert figures[0].equals(figures[1])
    # The world draws ignored regions, or the two routes would be compared on what is easy.
    assert (files["ignore"].null_count < len(files)) == (name == "reasonseg")


def encodings() -> list[Any]:
    """The square mask in every form that mirrors have it in."""
    rle = masks.encode_mask(square())
    text = {"size": rle["size"], "counts": rle["counts"].decode()}
    plain = {"size": rle["size"], "counts": plain_runs(square())}
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
    samples = read_mirror(tmp_path, rows, mask_type=kind)
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
    every = read_mirror(tmp_path, rows, sentences="all", **kind)
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
    samples = read_mirror(tmp_path, [row(tmp_path, image_id=image_id, image=image)])
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
    samples = read_mirror(tmp_path, rows, dataset="reasonseg", split_by=None)
    assert samples["sample_id"].to_pylist() == ["reasonseg/test/1"]
    assert samples["box"].to_pylist() == [[0, 0, 0, 0]]
    with pytest.raises(UserError, match="row 0: its mask covers no pixel"):
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
    for _, _, cells in read_rows(folder, ["mask"]):
        held = max(held, pa.total_allocated_bytes() - before)
        rows += len(cells["mask"])
    assert rows == count * side
    # Decoding takes 4 bytes a pixel for the levels of the two lists alone.
    assert held < 6 * 4 * side * side


def test_what_a_killed_unpacking_left_is_removed(tmp_path: Path) -> None:
    write_mirror(tmp_path, [row(tmp_path)])
    folder = images_folder(tmp_path, MIRROR)
    killed = atomic_folder(folder, "unpack_mirror")
    (killed.__enter__() / "2.jpg").write_bytes(b"half")
    unpack_images(tmp_path, MIRROR)
    assert list(folder.parent.iterdir()) == [folder]


COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_a_mirror_is_fetched_at_its_commit_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shard,) = write_mirror(tmp_path / "made", [row(tmp_path / "made")])
    files = {f"data/{shard.name}": shard.read_bytes(), "README.md": b"# a card"}
    root, mirrored = tmp_path / "data", f"owner/set@{COMMIT}"

    def fetch(mirrored: str, address: str) -> subprocess.CompletedProcess[str]:
        # The library reads the hub's address as it is imported.
        own = {"HF_ENDPOINT": address, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf")}
        options = ["--root", root, "--mirror", mirrored, "--output", tmp_path / "record.json"]
        command = [sys.executable, "-m", "samr1.cli.fetch_mirror", *map(str, options)]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | own)

    with serve_hub("owner/set", COMMIT, files) as hub:
        assert fetch(mirrored, hub.address).returncode == 0
        asked = len(hub.asked)
        folder = root / "mirrors" / f"owner--set@{COMMIT}"
        assert [path for path in folder.rglob("*") if path.is_file()] == [
            folder / "data" / shard.name
        ]
        assert os.listdir(root / "mirrors") == [folder.name]
        assert json.loads((tmp_path / "record.json").read_text())["mirror"] == mirrored
        assert fetch(mirrored, hub.address).returncode == 0
        assert len(hub.asked) == asked
        done = fetch(f"owner/other@{COMMIT}", hub.address)
        assert done.returncode == 1
        assert "cannot be had from the model hub" in done.stderr.splitlines()[-1]
    unpack_images(root, mirrored)
    (found,) = mirror.read(root, "refcocog", "test", mirrored, "umd").to_pylist()
    assert found["image_path"] == f"mirror_images/owner--set@{COMMIT}/1.jpg"


def test_a_mirror_without_a_commit_is_a_persons_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no Parquet files here, .* write owner/set_test@<commit>"):
        fetch_mirror(tmp_path, MIRROR)
    write_mirror(tmp_path, [row(tmp_path)])
    assert fetch_mirror(tmp_path, MIRROR) == shards_folder(tmp_path, MIRROR)
