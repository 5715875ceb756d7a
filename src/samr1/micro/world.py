"""The micro world on disk, in the public data sets' own file layouts.

    train2014/COCO_train2014_<12 digits>.jpg
    refcoco/, refcoco+/   instances.json, refs(unc).p   splits train, val, testA, testB
    refcocog/             instances.json, refs(umd).p   splits train, val, test
    ReasonSeg/{train,val,test}/NAME.{jpg,json}, instances_{train,val,test}.json

As in the real sets, RefCOCO and RefCOCO+ share their images, and some images of their testA are
training images of RefCOCOg. Everything depends on the configuration alone, to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from samr1.config.data import WorldConfig
from samr1.core.errors import UserError
from samr1.core.files import atomic_folder, remove_parts
from samr1.micro.queries import ASK, Question
from samr1.micro.reasonseg_files import draw_reasonseg_scenes, write_reasonseg_split
from samr1.micro.refer_files import Ref, ReferSet
from samr1.micro.scenes import Scene, draw_scene, encode_jpeg, generator, render

# Splits that nothing is measured on are there, but small.
_SMALL_SPLIT = 40
# Large enough to choose a setting by, so that no test split has to serve for it.
_VALIDATION_REFS = 320
# One testA image in so many is a training image of RefCOCOg.
_SHARED_EVERY = 20
# First image id of each pool of scenes; RefCOCO and RefCOCO+ draw from the same pools.
_POOLS = {
    "cocog_train": 100_000,
    "cocog_val": 200_000,
    "cocog_test": 300_000,
    "coco_train": 400_000,
    "coco_val": 500_000,
    "coco_testA": 600_000,
    "coco_testB": 700_000,
}
_POOL_SIZE = 100_000
_POOL_AT = {first // _POOL_SIZE: pool for pool, first in _POOLS.items()}


def draw_world(config: WorldConfig, root: Path) -> None:
    """Draw the whole world into `root`, which appears complete or not at all."""
    remove_parts(root)  # of a drawing that was killed
    with atomic_folder(root, "draw_world") as folder:
        images = folder / "train2014"
        images.mkdir()
        train_refs, test_refs = config.refcocog_train_refs, config.refcocog_test_refs
        small = min(_SMALL_SPLIT, test_refs)
        _write_set(
            folder,
            ReferSet("refcocog", "umd"),
            {"train": train_refs, "val": min(_VALIDATION_REFS, test_refs), "test": test_refs},
            config.seed,
        )
        for name, count in (
            ("refcoco", config.refcoco_testa_refs),
            ("refcoco+", config.refcocop_testa_refs),
        ):
            sizes = {"train": small, "val": small, "testA": count, "testB": small}
            _write_set(folder, ReferSet(name, "unc"), sizes, config.seed)
        for split, count in (
            ("train", small),
            ("val", config.reasonseg_val),
            ("test", config.reasonseg_test),
        ):
            write_reasonseg_split(folder / "ReasonSeg" / split, split, count, config.seed)


def _scenes(pool: str, seed: int) -> Iterator[tuple[int, Scene]]:
    """Image ids and scenes of a pool, in order."""
    for index in range(_POOL_SIZE):
        key = (pool, index)
        if pool == "coco_testA" and index % _SHARED_EVERY == 0:
            key = ("cocog_train", index)
        yield _POOLS[key[0]] + index, draw_scene(generator("world", seed, *key))


def draw_again(image_ids: Iterable[str], seed: int) -> dict[str, Scene]:
    """The scene that each image of the world shows, by `image_id` as in `schemas.SAMPLES`.

    Raises UserError where the world of this seed has no such image.
    """
    scenes: dict[str, Scene] = {}
    reasonseg: dict[str, list[int]] = {}
    for image_id in dict.fromkeys(image_ids):
        if found := re.fullmatch(r"reasonseg/(\w+)/([0-9]{6})", image_id):
            reasonseg.setdefault(found[1], []).append(int(found[2]))
        elif re.fullmatch(r"[1-7][0-9]{5}", image_id):
            pool, index = divmod(int(image_id), _POOL_SIZE)
            scenes[image_id] = draw_scene(generator("world", seed, _POOL_AT[pool], index))
        else:
            raise UserError(f"image {image_id!r} is none of the drawn world; give no world's seed.")
    for split, numbers in reasonseg.items():
        wanted = set(numbers)
        drawn = islice(draw_reasonseg_scenes(split, seed), max(wanted) + 1)
        scenes |= {f"reasonseg/{split}/{i:06d}": s for i, s in enumerate(drawn) if i in wanted}
    return scenes


def _write_set(folder: Path, refer_set: ReferSet, sizes: dict[str, int], seed: int) -> None:
    """Write one REFER set with `sizes` refs a split, and the images it needs that are not there."""
    family = "cocog" if refer_set.name == "refcocog" else "coco"
    for split, size in sizes.items():
        bar = tqdm(total=size, desc=f"drawing {refer_set.name} {split}", unit="ref", disable=None)
        written = 0
        for image_id, scene in _scenes(f"{family}_{split}", seed):
            path = folder / "train2014" / f"COCO_train2014_{image_id:012d}.jpg"
            if not path.exists():
                path.write_bytes(encode_jpeg(render(scene)))
            rng = generator("world", seed, refer_set.name, split, image_id)
            refs = _refs(rng, refer_set.name, scene)[: size - written]
            refer_set.add_image(image_id, path.name, split, scene, refs)
            written += len(refs)
            bar.update(len(refs))
            if written == size:
                break
        bar.close()
    refer_set.write(folder / refer_set.name)


def _refs(rng: np.random.Generator, name: str, scene: Scene) -> list[Ref]:
    """A ref for each thing that can be singled out, with one to three different sentences."""
    refs = []
    for target in range(len(scene.things)):
        asked: dict[str, Question] = {}
        for _ in range(int(rng.integers(1, 4))):
            question = ASK[name](rng, scene, target)
            if question is not None:
                asked[question.text] = question
        if asked:
            refs.append(Ref(target, tuple(asked)))
    return refs
