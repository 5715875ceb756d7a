"""Embeddings on disk: whether they were there shows in no result, and nothing stale is read."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from training_world import batch_of, make_stage, make_world, samples_of

from samr1.config.schema import CacheConfig
from samr1.core.errors import UserError
from samr1.data.resizing import ImageStore
from samr1.segmenter import Embedding, Prompt, Segmenter
from samr1.segmenter.cache import EmbeddingCache
from samr1.segmenter.files import find_sam2
from samr1.train.loop import train_policy
from samr1.train.reward import score_groups

PROMPTS = [Prompt((10.0, 12.0, 60.0, 50.0), ((30.0, 30.0, 1),)), Prompt((0.0, 0.0, 40.0, 61.0))]
ENTRY = 2 * (64 * 8 * 8 + 8 * 32 * 32 + 16 * 16 * 16)  # bytes of one embedding at 128×128


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


def picture(seed: int) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (61, 97, 3), dtype=np.uint8)
    return np.asarray(pixels)


def load(world: Path, folder: Path, gigabytes: float = 1.0) -> Segmenter:
    cache = CacheConfig(folder=str(folder), gigabytes=gigabytes)
    return Segmenter.load(world / "segmenter", 128, cache=cache)


def tensors(embedding: Embedding) -> list[torch.Tensor]:
    return [*embedding.high_res, embedding.image]


def assert_same(ours: list[Embedding], theirs: list[Embedding]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert (one.height, one.width) == (other.height, other.width)
        for a, b in zip(tensors(one), tensors(other), strict=True):
            assert a.dtype == b.dtype == torch.float32 and torch.equal(a, b)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def test_cold_warm_and_evicted_give_the_same(world: Path, tmp_path: Path) -> None:
    images = [picture(seed) for seed in range(3)]
    cold = load(world, tmp_path).embed_batch(images)
    assert len(entries(tmp_path)) == 3
    assert_same(load(world, tmp_path).embed_batch(images), cold)
    entries(tmp_path)[1].unlink()
    assert_same(load(world, tmp_path).embed_batch(images[::-1]), cold[::-1])
    tiny = load(world, tmp_path / "tiny", gigabytes=1e-9)  # keeps nothing
    for _ in range(2):
        assert_same([tiny.embed(image) for image in images], cold)
    assert entries(tmp_path / "tiny") == []


def test_it_is_the_embedding_rounded_to_bfloat16(world: Path, tmp_path: Path) -> None:
    plain, cached = Segmenter.load(world / "segmenter", 128), load(world, tmp_path)
    exact, rounded = plain.embed(picture(0)), cached.embed(picture(0))
    for a, b in zip(tensors(exact), tensors(rounded), strict=True):
        assert torch.equal(a.bfloat16().float(), b)
    ours, _ = cached.predict(rounded, PROMPTS)
    theirs, _ = plain.predict(exact, PROMPTS)
    assert (ours != theirs).float().mean() < 0.02
    stored = load_file(entries(tmp_path)[0])
    assert {level.dtype for level in stored.values()} == {torch.bfloat16}
    assert sum(level.numel() * 2 for level in stored.values()) == ENTRY


def test_what_is_there_is_not_computed_again(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(world, tmp_path).embed(picture(0))
    segmenter = load(world, tmp_path)
    computed: list[int] = []
    levels = segmenter._levels
    monkeypatch.setattr(
        segmenter, "_levels", lambda images: computed.append(len(images)) or levels(images)
    )
    segmenter.embed_batch([picture(0), picture(1), picture(0)])
    assert computed == [1]


@pytest.mark.parametrize("change", ["pixels", "shape", "weights", "config", "threads"])
def test_a_change_of_anything_is_another_file(world: Path, tmp_path: Path, change: str) -> None:
    def place(folder: Path, image: np.ndarray) -> Path:
        config = CacheConfig(folder=str(tmp_path / "cache"), gigabytes=1)
        return EmbeddingCache(config, find_sam2(folder), torch.device("cpu")).place(image)

    folder = tmp_path / "segmenter"
    folder.mkdir()
    for name in ("config.yaml", "model.safetensors"):
        (folder / name).write_bytes((world / "segmenter" / name).read_bytes())
    image, threads = picture(0), torch.get_num_threads()
    before = place(folder, image)
    assert before == place(folder, image.copy()) == place(world / "segmenter", image)
    if change == "pixels":
        image[0, 0, 0] ^= 1
    elif change == "shape":
        image = image.reshape(97, 61, 3)
    elif change == "weights":
        weights = load_file(folder / "model.safetensors")
        next(iter(weights.values())).view(-1)[0] += 1
        save_file(weights, folder / "model.safetensors")
    elif change == "config":
        config = yaml.safe_load((folder / "config.yaml").read_text())
        (folder / "config.yaml").write_text(yaml.safe_dump(config | {"image_size": 64}))
    else:
        torch.set_num_threads(threads + 1)
    try:
        assert place(folder, image) != before
    finally:
        torch.set_num_threads(threads)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_was_used_longest_ago_is_removed_first(world: Path, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * ENTRY * 9)  # somebody else's
    (tmp_path / ".embedding-a.safetensors.part-1").touch()
    (tmp_path / ".embedding-b.safetensors.part-2").touch()
    age(tmp_path / ".embedding-b.safetensors.part-2", 5000)
    segmenter = load(world, tmp_path, gigabytes=3.5 * ENTRY / 1e9)
    places = []
    for seed in range(3):
        segmenter.embed(picture(seed))
        (new,) = set(tmp_path.glob("embedding-*")) - set(places)
        places.append(new)
        age(new, 100 - seed)
    segmenter.embed(picture(0))  # read: now the youngest
    segmenter.embed(picture(3))
    kept = set(tmp_path.glob("embedding-*"))
    assert places[0] in kept and places[2] in kept and places[1] not in kept and len(kept) == 3
    assert sum(path.stat().st_size for path in kept) <= 3.5 * ENTRY
    assert {path.name for path in tmp_path.iterdir()} - {path.name for path in kept} == {
        "model.safetensors",
        ".embedding-a.safetensors.part-1",  # of a process that may still be writing it
    }


def test_the_folder_is_listed_seldom_and_stays_within_the_bound(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(room: int, writes: int) -> tuple[int, int]:
        """How often one of two processes lists a folder with room for so many; what it holds."""
        config = CacheConfig(folder=str(tmp_path / str(room)), gigabytes=room * size / 1e9)
        ours, theirs = (
            EmbeddingCache(config, find_sam2(world / "segmenter"), torch.device("cpu"))
            for _ in range(2)
        )
        listed = []
        look = ours._keep_within_bound
        monkeypatch.setattr(ours, "_keep_within_bound", lambda: listed.append(look()))
        for number in range(writes):
            cache = (ours, theirs)[number % 2]
            cache.write(tmp_path / str(room) / f"embedding-{number}.safetensors", levels)
        return len(listed), len(entries(tmp_path / str(room)))

    levels = [torch.zeros(8, dtype=torch.bfloat16)]
    place = tmp_path / "one.safetensors"
    save_file({"level_0": levels[0]}, place)
    size = place.stat().st_size
    assert fill(room=2, writes=8) == (4, 2)
    listed, held = fill(room=256, writes=600)
    assert listed == 1 + 299 // 5  # the first of 300 writes, then each that makes it five
    assert 256 < held <= 256 + 2 * 5


@pytest.mark.parametrize("data", [b"", b"not an embedding at all", None])
def test_a_file_that_cannot_be_read_is_named(
    world: Path, tmp_path: Path, data: bytes | None
) -> None:
    load(world, tmp_path).embed(picture(0))
    (entry,) = entries(tmp_path)
    entry.write_bytes(entry.read_bytes()[:-100] if data is None else data)
    with pytest.raises(UserError, match=rf"{entry.name}: .* cannot be read .*; delete the file"):
        load(world, tmp_path).embed(picture(0))
    entry.unlink()
    load(world, tmp_path).embed(picture(0))


def test_a_file_with_other_tensors_is_named(world: Path, tmp_path: Path) -> None:
    load(world, tmp_path).embed(picture(0))
    save_file({"weight": torch.zeros(2)}, entries(tmp_path)[0])
    with pytest.raises(UserError, match="cannot be read"):
        load(world, tmp_path).embed(picture(0))


def use_cache(folder: Path, segmenter: Path, seed: int, failures: Any) -> None:
    """Read and write 8 embeddings in a random order, with room for 4 of them."""
    config = CacheConfig(folder=str(folder), gigabytes=4.5 * 2 * 1000 / 1e9)
    cache = EmbeddingCache(config, find_sam2(segmenter), torch.device("cpu"))
    for image in np.random.default_rng(seed).integers(0, 8, 200).tolist():
        place = cache.place(np.full((2, 2, 3), image, np.uint8))
        levels = cache.read(place)
        if levels is None:
            cache.write(place, [torch.full((1000,), image, dtype=torch.bfloat16)])
        elif not torch.equal(levels[0], torch.full((1000,), image, dtype=torch.bfloat16)):
            failures.put(image)
    failures.put(None)


def test_several_processes_share_a_folder(world: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    failures = context.Queue()
    processes = [
        context.Process(target=use_cache, args=(tmp_path, world / "segmenter", seed, failures))
        for seed in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [failures.get(timeout=10) for _ in processes] == [None] * 3
    assert len(list(tmp_path.iterdir())) <= 4  # no part of a file is left either


def test_rewards_and_training_are_the_same_cold_and_warm(world: Path, tmp_path: Path) -> None:
    stage = make_stage(world)
    cache = CacheConfig(folder=str(tmp_path), gigabytes=1)
    with_cache = stage.model_copy(
        update={"segmenter": stage.segmenter.model_copy(update={"cache": cache})}
    )
    text = '<answer>{"bbox_2d": [5, 5, 30, 40], "point_2d": [10, 20], "label": "ball"}</answer>'
    batch = batch_of(world, stage)
    judged, tables = [], []
    for _ in range(2):
        images = ImageStore(world / "images.parquet")
        trained = train_policy(with_cache, samples_of(world), images, world, None)
        tables.append(trained.metrics)
        assert len(entries(tmp_path)) == 3
        judged.append(score_groups(load(world, tmp_path), batch, [[text]] * 5, stage))
    assert tables[0].equals(tables[1])
    assert judged[0] == judged[1] and any(group[0].iou > 0 for group in judged[0])
