"""Data sets of one's own: every layout as its usual tool writes it, against that tool's masks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from data_world import HEIGHT, WIDTH, square, write_reasonseg, write_refer
from data_world import ref as refer_ref
from hostile_data import refused
from own_world import (
    labelme_mask,
    labelme_shape,
    read_samples,
    save_mask,
    save_picture,
    stage,
    write_class_masks,
    write_coco,
    write_labelme,
)
from PIL import Image
from pycocotools.coco import COCO

from samr1.data.own.reading import read_own
from samr1.data.shapes import rasterise_shapes

FIXTURES = Path(__file__).parents[1] / "fixtures" / "own"


# COCO


def test_a_category_of_a_coco_file_is_the_union_of_its_instances(tmp_path: Path) -> None:
    """Masks as pycocotools makes them of the same file."""
    (tmp_path / "set").mkdir()
    write_coco(tmp_path, "set/instances.json")
    official = COCO(tmp_path / "set/instances.json")
    rows = read_samples(stage(tmp_path, "coco", file="set/instances.json"))
    assert list(rows) == [f"{image}/{category}" for image in range(3) for category in (1, 2)]
    for name, row in rows.items():
        image, category = map(int, name.split("/"))
        found = official.loadAnns(official.getAnnIds(imgIds=image, catIds=category))
        union = np.any([official.annToMask(one) for one in found], axis=0)
        np.testing.assert_array_equal(row["mask"], union)
        assert row["query"] == {1: "the cat", 2: "the dog"}[category]
        assert row["image_path"] == f"set/{image}.png"


def test_of_single_instances_alone_is_asked_where_the_settings_say_so(tmp_path: Path) -> None:
    write_coco(tmp_path)
    settings = stage(
        tmp_path, "coco", file="instances.json", instances="single", question="Where is {category}?"
    )
    reading = read_own(settings)
    assert set(reading.samples["query"].to_pylist()) == {"Where is dog?"}
    why = "categories of an image with several instances"
    assert reading.left_out == {why: 3}
    write_coco(tmp_path, categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}])
    refused(rf"has no question; left out are {why} \(3\); correct", lambda: read_own(settings))


def test_categories_of_one_name_are_one(tmp_path: Path) -> None:
    content = write_coco(tmp_path)
    apart = read_samples(stage(tmp_path, "coco", file="instances.json"))
    content["categories"][1]["name"] = " cat"
    write_coco(tmp_path, **content)
    rows = read_samples(stage(tmp_path, "coco", file="instances.json"))
    assert list(rows) == ["0/1", "1/1", "2/1"]
    assert {row["query"] for row in rows.values()} == {"the cat"}
    for image in range(3):
        union = apart[f"{image}/1"]["mask"] | apart[f"{image}/2"]["mask"]
        assert (rows[f"{image}/1"]["mask"] == union).all()


def test_a_crowd_is_no_target_but_ignored(tmp_path: Path) -> None:
    content = write_coco(tmp_path)
    content["annotations"][1]["iscrowd"] = 1
    content["annotations"][2]["iscrowd"] = 1
    write_coco(tmp_path, annotations=content["annotations"])
    rows = read_samples(stage(tmp_path, "coco", file="instances.json"))
    assert "0/2" not in rows and rows["1/1"]["ignore"] is None
    crowd = (np.arange(HEIGHT * WIDTH) // 5 % 3 > 0).reshape(WIDTH, HEIGHT).T
    crowd[:, 1:] = crowd[15:] = False  # down the first column, five pixels off and ten on
    assert (rows["0/1"]["ignore"] == crowd).all()
    assert not (rows["0/1"]["mask"] & crowd).any()
    told = read_own(stage(tmp_path, "coco", file="instances.json")).left_out
    assert sorted(told.values()) == [1, 1]
    assert all("(iscrowd: 1, as CVAT writes it of each brushed mask" in why for why in told)


def test_captions_are_the_questions_of_their_annotations(tmp_path: Path) -> None:
    content = write_coco(tmp_path)
    for one in content["annotations"]:
        one["caption"] = [f"thing {one['id']}", "it"] if one["id"] == 1 else f"thing {one['id']}"
    write_coco(tmp_path, annotations=content["annotations"])
    rows = read_samples(stage(tmp_path, "coco", file="instances.json", questions="captions"))
    assert len(rows) == 10
    assert (rows["1/0"]["query"], rows["1/1"]["query"]) == ("thing 1", "it")
    assert rows["1/1"]["sentence_index"] == 1
    official = COCO(tmp_path / "instances.json")
    for name, row in rows.items():
        (one,) = official.loadAnns([int(name.split("/")[0])])
        np.testing.assert_array_equal(row["mask"], official.annToMask(one))


# labelme


def test_a_file_of_labelme_is_asked_of_each_label(tmp_path: Path) -> None:
    """labelme 6.3's own file; polygons are drawn as LISA does, whose outlines are in the object."""
    shutil.copy(FIXTURES / "labelme.json", tmp_path)
    save_picture(tmp_path / "labelme.png", 1)
    write_labelme(tmp_path, "other", [labelme_shape("cat", [[1, 1], [9, 1], [9, 9]])], 2)
    rows = read_samples(stage(tmp_path, "labelme"))
    assert list(rows) == [f"labelme/{label}" for label in ("cat", "dog", "bird")] + ["other/cat"]
    shapes = json.loads((FIXTURES / "labelme.json").read_text())["shapes"]
    for label, at in (("cat", [0, 1]), ("dog", [2]), ("bird", [3])):
        row = rows[f"labelme/{label}"]
        target, _ = rasterise_shapes([shapes[place] for place in at], HEIGHT, WIDTH)
        np.testing.assert_array_equal(row["mask"], target)
        assert row["query"] == f"the {label}" and row["ignore"].sum() > 30
    # As many pixels as by labelme's own `shape_to_mask`, but for the rim of a circle (it has 37).
    assert (rows["labelme/cat"]["mask"].sum(), rows["labelme/dog"]["mask"].sum()) == (66 + 56, 29)
    bird = np.zeros((HEIGHT, WIDTH), bool)
    bird[19:23, 22:26] = True
    assert (rows["labelme/bird"]["mask"] == bird).all()


def test_the_files_of_these_tests_are_labelmes_to_the_byte(tmp_path: Path) -> None:
    mask = np.zeros((6, 8), bool)
    mask[1:5, 2:6] = True
    shapes = [
        labelme_shape("cat", [[10.5, 5.25], [20.0, 5.0], [20.0, 15.0]]),
        labelme_shape("cat", [[25.0, 3.0], [32.0, 9.0]], "rectangle"),
        labelme_shape("dog", [[8.0, 22.0], [11.0, 22.0]], "circle"),
        labelme_mask("bird", 20, 18, mask),
        labelme_shape("ignore", [[30.0, 20.0], [38.0, 20.0], [38.0, 28.0]]),
    ]
    write_labelme(tmp_path, "labelme", shapes)
    ours, theirs = ((folder / "labelme.json") for folder in (tmp_path, FIXTURES))
    assert without_pictures(ours) == without_pictures(theirs)
    assert ours.read_text().count("\n") == theirs.read_text().count("\n")


def without_pictures(path: Path) -> list[tuple[str, Any]]:
    """The content in its order; a PNG's bytes are those of the library that packs them."""
    content = json.loads(path.read_text(), object_pairs_hook=list)
    text = json.dumps(content)
    start = text.find("iVBOR")
    return [(text[:start], text[text.index('"', start) :])]


def test_texts_of_a_labelme_file_ask_for_all_of_its_shapes(tmp_path: Path) -> None:
    cat, bird = labelme_shape("cat", [[1, 1], [9, 9]], "rectangle"), labelme_mask("a", 20, 5, ONE)
    write_labelme(tmp_path, "a", [cat, bird], 1, text=["what moves", "what lives"])
    flag = labelme_shape("flag", [[1, 1], [9, 9]], "rectangle")
    write_labelme(tmp_path, "b/c", [flag], 2, text="")  # as AnyLabeling writes none
    rows = read_samples(stage(tmp_path, "labelme"))
    assert {name: row["query"] for name, row in rows.items()} == {
        **{"a/0": "what moves", "a/1": "what lives", "b/c/flag": "the flag"}
    }
    assert [row["mask"].sum() for row in rows.values()] == [81 + 4, 81 + 4, 81]
    assert rows["a/1"]["sentence_index"] == 1


ONE = np.ones((2, 2), bool)


def test_folders_may_be_links_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    shapes = [labelme_shape("cat", [[1, 1], [9, 1], [9, 9]])]
    for number, split in enumerate(("train", "test")):
        write_labelme(tmp_path / "disk" / split, "a", shapes, number)
        (tmp_path / "set" / split).symlink_to(tmp_path / "disk" / split)
    rows = read_samples(stage(tmp_path / "set", "labelme"))
    assert {name: row["split"] for name, row in rows.items()} == {
        **{"train/a/cat": "train", "test/a/cat": "test"}
    }


def test_a_group_of_labelme_is_one_instance(tmp_path: Path) -> None:
    boxes = [[[1, 1], [4, 4]], [[10, 10], [14, 14]]]
    for number, groups in enumerate(([1, 1], [1, 2], [None, None])):
        shapes = [
            labelme_shape("cat", box, "rectangle", group_id=group)
            for box, group in zip(boxes, groups, strict=True)
        ]
        write_labelme(tmp_path, f"{number}", [*shapes, labelme_shape("dog", boxes[0])], number)
        (tmp_path / f"{number}.json").write_text(
            (tmp_path / f"{number}.json").read_text().replace('"polygon"', '"rectangle"')
        )
    reading = read_own(stage(tmp_path, "labelme", instances="single"))
    asked = reading.samples["sample_id"].to_pylist()
    assert asked == ["mine/0/cat", "mine/0/dog", "mine/1/dog", "mine/2/dog"]
    assert reading.left_out == {"labels of an image with several instances": 2}


# Masks of class indices


def test_class_masks_are_asked_of_each_named_class(tmp_path: Path) -> None:
    write_class_masks(tmp_path)
    save_picture(tmp_path / "images/9.jpg", 9)
    for name in ("0.HEIC", "8.avif"):  # one beside its JPEG, as phones write them
        (tmp_path / "images" / name).write_bytes(b"x")
    settings = stage(
        tmp_path,
        "masks",
        images="images",
        masks="masks",
        categories={1: "square"},
        ignore_index=255,
    )
    rows = read_samples(settings)
    assert list(rows) == ["0/1", "1/1", "2/1"]
    assert all((row["mask"] == square()).all() for row in rows.values())
    assert all(row["ignore"].sum() == 20 for row in rows.values())
    assert read_own(settings).left_out == {
        "masks with the class index 2, which has no name": 3,
        "images without a mask": 2,
    }
    both = stage(tmp_path, "masks", images="images", masks="masks", categories={2: "a", 1: "a"})
    corner = np.zeros((HEIGHT, WIDTH), bool)
    corner[:3, :3] = True
    assert all((row["mask"] == square() | corner).all() for row in read_samples(both).values())
    assert list(read_samples(both)) == ["0/1", "1/1", "2/1"]
    listed = stage(tmp_path, "masks", images="images", masks="masks", categories=[None, "a", "b"])
    assert {row["query"] for row in read_samples(listed).values()} == {"the a", "the b"}


def test_masks_may_lie_beside_their_images_and_folders_may_be_splits(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "train", "test")):
        save_picture(tmp_path / f"{split}/{number}.jpg", number)
        save_mask(tmp_path / f"{split}/{number}.png", square())
    rows = read_samples(stage(tmp_path, "masks", masks=".", categories={255: "thing"}))
    assert {name: row["split"] for name, row in rows.items()} == {
        **{"train/0/255": "train", "train/1/255": "train", "test/2/255": "test"}
    }


def test_names_of_masks_may_have_other_ends_than_those_of_images(tmp_path: Path) -> None:
    """As Cityscapes has them, and in one folder."""
    for number, split in enumerate(("train", "train", "val")):
        gt = tmp_path / f"gtFine/{split}/aachen/{number}_gtFine"
        save_picture(tmp_path / f"leftImg8bit/{split}/aachen/{number}_leftImg8bit.png", number)
        save_mask(Path(f"{gt}_labelIds.png"), square())
        save_picture(Path(f"{gt}_color.png"), number)
        save_picture(tmp_path / f"both/{number}.jpg", number)
        save_mask(tmp_path / f"both/{number}_mask.png", square())
    names = {"images": "leftImg8bit/*_leftImg8bit.png", "masks": "gtFine/*_gtFine_labelIds.png"}
    settings = stage(tmp_path, "masks", **names, categories={255: "road"}, test_split="val")
    rows = read_samples(settings)
    assert list(rows) == [f"{split}/255" for split in ("train/aachen/0", "train/aachen/1")] + [
        "val/aachen/2/255"
    ]
    assert [row["split"] for row in rows.values()] == ["train", "train", "test"]
    assert rows["val/aachen/2/255"]["image_path"] == "leftImg8bit/val/aachen/2_leftImg8bit.png"
    names = {"images": "both", "masks": "both/*_mask.png"}
    reading = read_own(stage(tmp_path, "masks", **names, categories={255: "road"}))
    assert len(reading.samples) == 3 and not reading.left_out


# The public sets' own layouts


def test_files_that_lie_like_refers_and_reasonsegs_are_read(tmp_path: Path) -> None:
    splits = enumerate(("test", "train", "val", "val"), start=1)
    write_refer(tmp_path, [refer_ref(number, split=split) for number, split in splits])
    save_picture(tmp_path / "train2014/COCO_train2014_000000000002.jpg", 2)
    settings = stage(tmp_path, "refer", file="refcocog/refs(umd).p")
    assert read_own(settings).left_out == {"of the split 'val', which is neither part": 4}
    rows = read_samples(settings)
    assert list(rows) == ["train/2/0", "train/2/1", "test/1/0", "test/1/1"]
    assert rows["test/1/1"]["box"] == [10, 5, 20, 15]
    for number, split in enumerate(("train", "val", "test")):
        write_reasonseg(tmp_path, split=split)
        save_picture(tmp_path / f"ReasonSeg/{split}/a.jpg", number)
    settings = stage(tmp_path, "reasonseg", test_split="val")
    assert read_own(settings).left_out == {"of the split 'test', which is neither part": 1}
    rows = read_samples(settings)
    assert {name: row["split"] for name, row in rows.items()} == {
        "train/a": "train",
        "val/a": "test",
    }


def test_a_palette_of_colours_is_looked_through(tmp_path: Path) -> None:
    write_class_masks(tmp_path, 2)
    with Image.open(tmp_path / "masks/0.png") as saved:
        assert saved.mode == "P"
    settings = stage(tmp_path, "masks", images="images", masks="masks", categories={2: "corner"})
    assert [row["mask"].sum() for row in read_samples(settings).values()] == [9, 9]
