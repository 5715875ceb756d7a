"""The micro world: the same bytes every time, in layouts that the real sets' readers read."""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from samr1.config.data import WorldConfig
from samr1.config.names import DIALECTS
from samr1.core.errors import UserError
from samr1.core.files import atomic_folder
from samr1.data import reasonseg, refer
from samr1.data.masks import box_iou, decode_mask, mask_iou
from samr1.data.objects import read_objects
from samr1.evaluation.right import ImageObjects
from samr1.micro.policy_config import IMAGE_SIZE, build_image_processor, build_policy
from samr1.micro.queries import ASK, by_relation, think
from samr1.micro.scenes import Thing, draw_scene, encode_jpeg, generator, render
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.micro.tokenizer import build_tokenizer
from samr1.micro.wholes import PARTS
from samr1.micro.world import draw_again, draw_world
from samr1.policy.dialects import get_dialect
from samr1.pretrain.check import thing_mask
from samr1.segmenter.build import build_sam2

SIDES = "left of|right of|above|below|next to"
SIZES = WorldConfig(
    refcocog_train_refs=70,
    refcocog_test_refs=9,
    refcoco_testa_refs=70,
    refcocop_testa_refs=8,
    reasonseg_val=3,
    reasonseg_test=140,
    seed=3,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "data"
    draw_world(SIZES, root)
    return root


def digest(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def test_world_is_the_same_to_the_byte(world: Path, tmp_path: Path) -> None:
    killed = atomic_folder(tmp_path / "again", "draw_world")  # what it leaves goes
    killed.__enter__()
    draw_world(SIZES, tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    assert digest(tmp_path / "again") == digest(world)
    other = SIZES.model_copy(update={"seed": 4})
    draw_world(other, tmp_path / "other")
    assert digest(tmp_path / "other") != digest(world)


def test_its_images_are_known_again(world: Path) -> None:
    samples = [
        *refer.read(world, "refcocog", "umd", "test").to_pylist(),
        *refer.read(world, "refcoco", "unc", "testA").to_pylist(),
        *reasonseg.read(world, "test").to_pylist(),
    ]
    scenes = draw_again([sample["image_id"] for sample in samples], SIZES.seed)
    for sample in samples:
        scene = scenes[sample["image_id"]]
        assert (scene.width, scene.height) == (sample["width"], sample["height"])
        if sample["box"] != [0, 0, 0, 0]:
            assert max(box_iou(thing.box, sample["box"]) for thing in scene.things) > 0.45


@pytest.mark.parametrize("split", ["val", "test"])
def test_every_thing_of_a_reasonseg_image_is_annotated_beside_it(world: Path, split: str) -> None:
    samples = reasonseg.read(world, split)
    objects = read_objects(world / f"ReasonSeg/instances_{split}.json", samples)
    scenes = draw_again(samples["image_id"].to_pylist(), SIZES.seed)
    known = ImageObjects(objects)
    assert len(objects) == sum(len(scene.things) for scene in scenes.values())
    for row in samples.to_pylist():
        truth = decode_mask(row["mask"])
        there = known.of(row["image_id"], row["height"], row["width"])
        best = max(mask_iou(truth, one) for one in there)
        assert best > 0.6 or not truth.any()  # drawn otherwise, and perhaps with an ignored corner


@pytest.mark.parametrize("image_id", ["reasonseg/test/a", "999999", "9" * 40, "²"])
def test_what_it_never_drew_is_refused(image_id: str) -> None:
    with pytest.raises(UserError, match="none of the drawn world"):
        draw_again([image_id], SIZES.seed)


@pytest.mark.parametrize(
    ("dataset", "split_by", "split", "count"),
    [
        ("refcocog", "umd", "train", 70),
        ("refcocog", "umd", "test", 9),
        ("refcoco", "unc", "testA", 70),
        ("refcoco+", "unc", "testA", 8),
        ("refcoco", "unc", "testB", 9),
    ],
)
def test_readers_of_the_real_sets_read_it(
    world: Path, dataset: str, split_by: str, split: str, count: int
) -> None:
    samples = refer.read(world, dataset, split_by, split).to_pylist()
    assert len(samples) == count
    for sample in samples:
        x1, y1, x2, y2 = sample["box"]
        assert 0 <= x1 < x2 <= sample["width"]
        assert 0 <= y1 < y2 <= sample["height"]


def test_refcoco_shares_images_with_refcocog_training(world: Path) -> None:
    training = set(refer.read(world, "refcocog", "umd", "train")["image_id"].to_pylist())
    test_a = set(refer.read(world, "refcoco", "unc", "testA")["image_id"].to_pylist())
    tests = set(refer.read(world, "refcocog", "umd", "test")["image_id"].to_pylist())
    assert 0 < len(training & test_a) < len(test_a) / 5
    assert not training & tests


def test_segmentations_come_in_all_three_forms(world: Path) -> None:
    instances = json.loads((world / "refcocog" / "instances.json").read_text())
    forms = {
        "polygon" if isinstance(a["segmentation"], list) else type(a["segmentation"]["counts"])
        for a in instances["annotations"]
    }
    assert forms == {"polygon", str, list}


def test_reasonseg_is_read_with_its_oddities(world: Path) -> None:
    samples = reasonseg.read(world, "test").to_pylist()
    assert len(samples) == 140
    empty = [s["sample_id"] for s in samples if s["box"] == [0, 0, 0, 0]]
    assert empty == ["reasonseg/test/000137"]
    assert any(s["ignore"] is not None for s in samples)
    files = [json.loads(p.read_text()) for p in (world / "ReasonSeg/test").glob("*.json")]
    labels = [[shape["label"] for shape in file["shapes"]] for file in files]
    assert any(row.count("target") == 2 for row in labels)
    assert any("flag" in row for row in labels)
    assert {file["is_sentence"] for file in files} == {True, False}
    assert any(len(file["text"]) > 1 for file in files)


@pytest.mark.parametrize("name", list(ASK))
def test_questions_keep_their_sets_manner(name: str) -> None:
    places = {"left", "right", "top", "bottom", "upper", "lower", "middle", "center"}
    located = 0
    for index in range(150):
        rng = generator("test", name, index)
        scene = draw_scene(rng)
        for target in range(len(scene.things)):
            question = ASK[name](rng, scene, target)
            if question is None:
                continue
            assert question.target == target
            assert len(think(scene, question).split()) >= 8
            located += bool(places & set(question.text.split()))
    assert (located == 0) == (name in ("refcoco+", "reasonseg"))


def test_a_plain_question_singles_out_its_thing() -> None:
    for index in range(200):
        rng = generator("test", "single", index)
        scene = draw_scene(rng)
        for target, thing in enumerate(scene.things):
            question = ASK["refcoco+"](rng, scene, target)
            if question is None:
                continue
            words = set(question.text.split())
            fits = [
                other
                for other in scene.things
                if ("one" in words or other.shape in words) and other.color in words
            ]
            assert fits == [thing]


def test_a_question_by_relation_fits_several_things_but_for_the_relation() -> None:
    asked = 0
    for index in range(150):
        scene = draw_scene(generator("test", "relation", index))
        for target in range(len(scene.things)):
            for question in by_relation(scene, target):
                asked += 1
                found = re.fullmatch(rf"the (.+) ({SIDES}) the (.+)", question.text)
                assert found is not None
                (anchor,) = (t for t in scene.things if fits(t, found[3]))
                candidates = [t for t in scene.things if fits(t, found[1]) and t is not anchor]
                assert len(candidates) > 1
                assert [t for t in candidates if stands(t, anchor, found[2], candidates)] == [
                    scene.things[target]
                ]
    assert asked > 100


def fits(thing: Thing, words: str) -> bool:
    """Whether a thing is what is called "star", "red one" or "thing"."""
    if words.endswith(" one"):
        return thing.color == words.removesuffix(" one")
    return words == "thing" or thing.is_like(words)


def stands(thing: Thing, anchor: Thing, relation: str, candidates: list[Thing]) -> bool:
    (x, y), (anchor_x, anchor_y) = thing.center, anchor.center
    return {
        "left of": x < anchor_x - 8,
        "right of": x > anchor_x + 8,
        "above": y < anchor_y - 8,
        "below": y > anchor_y + 8,
        "next to": thing is min(candidates, key=lambda one: math.dist(one.center, anchor.center)),
    }[relation]


def test_a_whole_is_parted_and_asked_for_by_its_parts() -> None:
    named, seen = 0, set()
    for index in range(120):
        rng = generator("test", "parts", index)
        scene = draw_scene(rng)
        masks = [thing_mask(scene, thing) for thing in scene.things]
        assert np.sum(masks, axis=0).max() == 1  # none hides another
        for target, part in enumerate(scene.things):
            if part.whole is None:
                continue
            x, y = part.center
            assert masks[target][int(y), int(x)]
            seen.add(part.shape)
            question = ASK["reasonseg"](rng, scene, target)
            assert question is not None
            named += f"the {part.shape} of the {part.whole}" in question.text
    assert seen == set(PARTS)
    assert named > 10


def test_pretraining_scenes_are_not_in_the_world(world: Path) -> None:
    drawn = {path.read_bytes() for path in world.rglob("*.jpg")}
    scenes = [draw_scene(generator("pretrain", "picture", index)) for index in range(200)]
    assert not drawn & {encode_jpeg(render(scene)) for scene in scenes}


def test_tokenizer_keeps_text_and_makes_numbers_single() -> None:
    tokenizer = build_tokenizer()
    for dialect in map(get_dialect, DIALECTS):
        points = [(1.0, 2.0, 1), (83.0, 4.0, 0)]
        answer = dialect.respond("look here .", (10, 20, 30, 84), points, "red circle")
        for text in (dialect.ask("the thing, Größe 7?"), answer):
            assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
        assert len(tokenizer(answer)["input_ids"]) < 40
    assert all(len(tokenizer(str(n))["input_ids"]) == 1 for n in range(100))


def test_tiny_models_stay_tiny() -> None:
    policy = build_policy(build_tokenizer(), seed=0)
    segmenter = build_sam2(SEGMENTER_CONFIG)
    for model in (policy, segmenter):
        assert sum(parameter.numel() for parameter in model.parameters()) <= 3_000_000
    again = build_policy(build_tokenizer(), seed=0)
    pairs = zip(policy.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)


def test_image_processor_gives_36_visual_tokens() -> None:
    image = Image.fromarray(np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8))
    encoded = build_image_processor()(images=[image], return_tensors="pt")
    assert encoded["image_grid_thw"].tolist() == [[1, 12, 12]]
