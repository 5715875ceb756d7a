"""Own data in COCO's, labelme's and masks' files, and its settings, with a mistake in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from data_world import HEIGHT, WIDTH, square
from hostile_data import refused
from own_world import (
    labelme_shape,
    save_mask,
    save_picture,
    stage,
    write_class_masks,
    write_coco,
    write_labelme,
)
from PIL import Image

from samr1.config.own_data import OwnData, OwnDataStage
from samr1.config.schema import load_named
from samr1.data.own.reading import read_own
from samr1.report.dataset.page import write_page

FIXTURES = Path(__file__).parents[1] / "fixtures" / "own"
Write = Callable[[Path], object]

# COCO, labelme and masks of class indices


def coco(**change: Callable[[list[dict[str, Any]]], Any]) -> Write:
    """A COCO file whose lists are changed in place."""

    def write(root: Path) -> None:
        content = write_coco(root)
        for key, edit in change.items():
            edit(content[key])
        write_coco(root, **content)

    return write


def set_first(**fields: Any) -> Callable[[list[dict[str, Any]]], None]:
    return lambda entries: entries[0].update(fields)


COCO: list[tuple[Write, str]] = [
    (lambda root: write_coco(root, annotations=None), "it has no list of `annotations`"),
    (lambda root: (root / "instances.json").write_text("{"), "instances.json: not a JSON file"),
    (
        coco(annotations=set_first(id="1")),
        "`annotations`, row 0: has no `id` that is a whole number",
    ),
    (coco(annotations=set_first(id=2)), "`annotations`, row 1: a row before it has the same id, 2"),
    (
        coco(annotations=set_first(image_id="0")),
        "annotation 1: its image_id or category_id is no w",
    ),
    (
        coco(annotations=set_first(image_id=77)),
        "image 77, category 1: its image 77 is not in the f",
    ),
    (coco(annotations=set_first(iscrowd="0")), "annotation 1: its iscrowd is neither 0 nor 1"),
    (
        coco(annotations=set_first(category_id=9)),
        "category 9: the file has no such category; corre",
    ),
    (
        coco(annotations=set_first(segmentation=[])),
        "annotation 1: it has no segmentation; export polygons",
    ),
    (
        coco(annotations=set_first(segmentation=[[1, 2]])),
        "annotation 1: .*three or more x, y pairs",
    ),
    (coco(images=set_first(file_name="none.png")), r"image 0, .*none\.png: no such file"),
    (coco(images=set_first(file_name="../../x.png")), "its image's file_name, .*leads out"),
    (coco(images=set_first(width=41)), "the image is 40×30 pixels and its annotation says 41×30"),
    (coco(images=set_first(width="40")), "its image's width or height is no whole number"),
    (coco(categories=set_first(name="")), "its category's name has 0 characters"),
]


@pytest.mark.parametrize(("write", "told"), COCO)
def test_a_bad_coco_file_is_named(tmp_path: Path, write: Write, told: str) -> None:
    write(tmp_path)
    refused(told, lambda: read_own(stage(tmp_path, "coco", file="instances.json")))


def test_an_annotation_without_a_caption_is_named(tmp_path: Path) -> None:
    write_coco(tmp_path)
    settings = stage(tmp_path, "coco", file="instances.json", questions="captions")
    refused("annotation 1: its caption 0 is no text", lambda: read_own(settings))


CAT = labelme_shape("cat", [[1, 1], [9, 1], [9, 9]])


def labelme(*shapes: Any, **keys: Any) -> Write:
    return lambda root: write_labelme(root, "bad", shapes or [CAT], 9, **keys)


LABELME: list[tuple[Write, str]] = [
    (lambda root: (root / "bad.json").write_text('{"a": 1}'), "no file of labelme: it has no list"),
    (labelme(imagePath="none.png"), r"none\.png: no such file"),
    (labelme(imagePath=None), "its imagePath is no name of a file"),
    (labelme(imagePath="../../x.png"), "its imagePath, .* leads out"),
    (labelme(imageWidth=99), "the image is 40×30 pixels and its annotation says 99×30"),
    (labelme(imageWidth="40"), "its imageWidth or imageHeight is no whole number"),
    (labelme({"points": [[1, 1]]}), "a shape has no label; give it one"),
    (
        labelme(labelme_shape("", [[1, 1], [9, 9]], "rectangle")),
        "label '': its label has 0 charact",
    ),
    (
        labelme(labelme_shape("cat", [[5, 5]], "point")),
        "label 'cat': a shape is a 'point', which ha",
    ),
    (labelme(labelme_shape("cat", [[1, 1], [9, 9]], "line")), "which has no area"),
    (labelme(labelme_shape("cat", [[99, 1], [199, 1], [199, 9]])), "leave no pixel of the target"),
    (labelme(labelme_shape("cat", [], "polygon")), "label 'cat': a shape has no label, no points"),
    (
        labelme(CAT, *[labelme_shape("ignore", [[5, 5]])] * 100_001),
        "beside 1 labels 100001 ignored shapes are too many; unite them",
    ),
    (labelme(text=[]), r": text\[0\] is no text"),
    (labelme(text=[3]), r"text\[0\] is no text"),
]


TWICE = '"points": [[2, 2], [8, 2], [8, 8]], "points":'


def labelme_text(old: str, new: str, name: str = "bad") -> Write:
    """A file of labelme whose text is changed once, under a name of its own."""

    def write(root: Path) -> None:
        write_labelme(root, "bad", [CAT], 9)
        text = (root / "bad.json").read_text().replace(old, new, 1)
        (root / "bad.json").rename(root / f"{name}.json")
        (root / f"{name}.json").write_text(text)

    return write


LABELME += [
    (labelme_text('"points":', TWICE), "not a JSON file .*the key 'points' stands twice"),
    (
        labelme_text("", "", os.fsdecode(b"bad.json: caf\xe9")),
        "its name is no valid Unicode; rename",
    ),
]


@pytest.mark.parametrize(("write", "told"), LABELME)
def test_a_bad_file_of_labelme_is_named_or_skipped(tmp_path: Path, write: Write, told: str) -> None:
    for number in range(2):
        write_labelme(tmp_path, f"good_{number}", [CAT], number)
    write(tmp_path)
    settings = stage(tmp_path, "labelme")
    refused(rf"bad\.json.*{told}", lambda: read_own(settings))
    reading = read_own(settings, "skip")
    assert len(reading.samples) == 2 and len(reading.refused) == 1


def spoil(name: str, image: Image.Image | bytes) -> Write:
    def write(root: Path) -> None:
        write_class_masks(root)
        if isinstance(image, bytes):
            (root / name).write_bytes(image)
        else:
            image.save(root / name)

    return write


def test_names_that_no_text_can_hold_are_told_on_the_page(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    write_labelme(root, "a", [CAT])
    write_labelme(root, "b", [CAT], 1)
    labelme_text("", "", os.fsdecode(b"caf\xe9"))(root)
    settings = stage(root, "labelme")
    write_page(settings, read_own(settings, "skip"), tmp_path / "page")
    assert r"caf\udce9.json" in (tmp_path / "page/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("layout", ["table", "coco"])
def test_a_name_that_is_too_long_is_that_of_no_file(tmp_path: Path, layout: str) -> None:
    refused("no such file", lambda: read_own(stage(tmp_path, layout, file="a" * 5_000 + ".csv")))
    refused("no such folder", lambda: read_own(stage(tmp_path / ("a" * 900), layout, file="a.csv")))


def test_two_files_of_one_name_are_named(tmp_path: Path) -> None:
    write_labelme(tmp_path, "a", [CAT])
    shutil.copy(tmp_path / "a.json", tmp_path / "a.JSON")
    told = r"its id, 'a/cat', is that of .*a\.JSON too"
    refused(told, lambda: read_own(stage(tmp_path, "labelme")))


def mask_of_a_photo_that_is_not_read(root: Path) -> None:
    spoil("masks/7.png", Image.new("L", (9, 9)))(root)
    (root / "images/7.heic").write_bytes(b"x")


MASKS: list[tuple[Write, str]] = [
    (mask_of_a_photo_that_is_not_read, r"images/7\.heic: not an image that can be read; .*HEIC"),
    (
        spoil("masks/1.png", Image.new("RGB", (WIDTH, HEIGHT))),
        r"is in colours \(mode RGB\) and has no",
    ),
    (
        spoil("masks/1.png", Image.new("L", (9, 9))),
        "the image is 40×30 pixels and its annotation s",
    ),
    (spoil("masks/1.png", b"x"), r"masks/1\.png: not an image that can be read"),
    (
        spoil("masks/7.png", Image.new("L", (9, 9))),
        r"there is no image of its name; .* as `images: img/\*\.jpg`",
    ),
    (spoil("images/1.png", Image.new("L", (9, 9))), "there are 2 images of its name; give each ma"),
    (spoil("images/1.jpg", b"x"), r"images/1\.jpg: not an image"),
    (lambda root: save_mask(root / "masks/1.png", square()), "images: no such folder"),
    (
        lambda root: [(root / name).mkdir() for name in ("images", "masks")],
        "no PNG of class indices",
    ),
]


@pytest.mark.parametrize(("write", "told"), MASKS)
def test_a_bad_mask_of_class_indices_is_named(tmp_path: Path, write: Write, told: str) -> None:
    write(tmp_path)
    settings = stage(tmp_path, "masks", images="images", masks="masks", categories={1: "square"})
    refused(told, lambda: read_own(settings))


def test_it_is_said_which_masks_are_looked_for(tmp_path: Path) -> None:
    write_class_masks(tmp_path)
    settings = stage(tmp_path, "masks", masks="masks/*_gt.png", categories={1: "square"})
    refused(
        r"masks: no PNG of class indices whose name ends in _gt\.png here",
        lambda: read_own(settings),
    )


def test_it_is_said_why_nothing_is_asked(tmp_path: Path) -> None:
    """White on black, the object called 1: the likeliest mistake."""
    for number in range(3):
        save_mask(tmp_path / f"masks/{number}.png", square())
        save_picture(tmp_path / f"images/{number}.jpg", number)
    settings = stage(tmp_path, "masks", images="images", masks="masks", categories={1: "cat"})
    told = (
        r"has no question; left out are masks with the class index 255, which has no name \(3\), "
    )
    refused(told, lambda: read_own(settings))


# The settings

SETTINGS: list[tuple[str, str]] = [
    ("photos: table", 'photos = "table": must be a mapping'),
    ("photos: {layout: csv, root: a}", "layout = \"csv\": must be 'table', 'coco'"),
    ("photos: {layout: table, root: a}", "file = null: must be given with layout table"),
    ("photos: {layout: table, root: a, file: ../b.csv}", "file = .*: must be a path below `root`"),
    ("photos: {layout: table, root: a b, file: c.csv}", "root = .*: may hold letters, digits and"),
    (
        "photos: {layout: labelme, root: a, file: b}",
        "file = .*: must be left out with layout labelme",
    ),
    ("photos: {layout: masks, root: a, masks: m}", "categories = null: must be given with layout"),
    ("photos: {layout: labelme, root: a, question: what}", "question = .*: must hold {category}"),
    ("photos: {layout: labelme, root: a, test_share: 1}", "test_share = 1: must be less than 1"),
    (
        "photos: {layout: labelme, root: a, target: box}",
        'target = "box": must be mask with layout l',
    ),
    *(
        (f"photos: {{root: a, layout: {keys}}}", told)
        for keys, told in (
            ("table, file: b, question: 'a {category}'", "question = .* with layout table"),
            ("refer, file: b, question: 'a {category}'", "question = .* with layout refer"),
            ("reasonseg, question: 'a {category}'", "question = .* with layout reasonseg"),
            ("mirror", "mirror = null: must be given with layout mirror"),
            ("mirror, mirror: my mirror", "mirror = .*: must be owner/name, as on the model hub"),
            ("mirror, mirror: o/n, file: b", "file = .*: must be left out with layout mirror"),
            ("coco, file: b, mirror: o/n", "mirror = .*: must be left out with layout coco"),
            ("reasonseg, test_share: 0.5", "test_share = .* must be 0.2 with layout reasonseg"),
            (
                "coco, file: b, questions: captions, question: 'a {category}'",
                "question = .*: must be the {category} with questions: captions",
            ),
            (
                "coco, file: b, questions: captions, instances: single",
                'instances = "single": must be union with questions: captions',
            ),
            ("table, file: b, target: box, masks: c", "masks = .* left out with target: box"),
        )
    ),
    (
        "photos: {layout: labelme, root: a, roots: b}",
        "roots: unknown key; the nearest allowed key is",
    ),
    ("photos: {layout: labelme, root: a, test_split: train}", "test_split = .*: must be another"),
    ("My photos: {layout: labelme, root: a}", "My photos: name = "),
    (f"{'a' * 101}: {{layout: labelme, root: a}}", "name = .*must have at most 100 characters"),
    ("photos: {layout: labelme, root: a, seed: yes}", "seed = true: must be a number"),
    ('photos: {layout: labelme, root: a, seed: "010"}', 'seed = "010": must be a number'),
    ("photos: {layout: labelme, root: a, train_split: ''}", 'train_split = "": must match'),
    ("photos: {layout: labelme, root: a, train_split: ../b}", "train_split = .*: must match"),
    *(
        (f"photos: {{layout: masks, root: a, masks: m, categories: {value}}}", told)
        for value, told in (
            ("{}", "categories.*must have at least 1 item"),
            ("{-1: cat}", "categories.*greater than or equal to 0"),
            ("{70000: cat}", "categories.*less than 65536"),
            ("{yes: cat}", "categories.True = true: must be a number"),
            ('{"01": cat, "1": dog}', r'categories.01 = "01": must be a number'),
            ("{255: cat}, ignore_index: 255", "ignore_index = 255: must be none of the categ"),
        )
    ),
]


@pytest.mark.parametrize(("content", "told"), SETTINGS)
def test_settings_that_cannot_be_are_named(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "own_data.yaml"
    path.write_text(content)
    refused(rf"own_data\.yaml: data set .*{told}", lambda: load_named(path, OwnData, "data set"))


def test_a_stage_is_its_data_set_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "own_data.yaml"
    path.write_text("photos: {layout: masks, root: a, masks: m, categories: {1: cat}}")
    (one,) = load_named(path, OwnData, "data set").values()
    assert one.stage("photos") == OwnDataStage(
        name="photos", layout="masks", root="a", masks="m", categories={1: "cat"}
    )
    assert one.category_names == {1: "cat"}
