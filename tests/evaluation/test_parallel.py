"""Benchmarks by several processes and several by one job, against each by one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from commands import call
from made_up_samples import sample_row, sample_table
from predict_world import stage as predict_stage
from processes import wait_until

from samr1.cli import predict_masks
from samr1.config.merge import load_experiment
from samr1.config.schema import dump_stage
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.data.resizing import resize_images
from samr1.evaluation import parallel
from samr1.evaluation.kept import Kept
from samr1.evaluation.parallel import split_by_image
from samr1.micro.scenes import draw_scene, encode_jpeg, generator, render

ROOT = Path(__file__).parents[2]


def samples_on(images: list[str]) -> pa.Table:
    return sample_table(sample_row(f"{name}.jpg", (1, 1), "x") for name in images)


def ids(table: pa.Table) -> list[str]:
    return table["sample_id"].to_pylist()


def test_images_stay_whole_and_parts_are_of_one_size() -> None:
    images = [f"i{i}" for i in np.random.default_rng(0).integers(0, 40, 100)]
    samples = samples_on(images)
    assert split_by_image(samples, 1)[0].equals(samples)
    for count in (2, 3, 7):
        parts = split_by_image(samples, count)
        dealt = [name for part in parts for name in ids(part)]
        assert sorted(dealt, key=lambda name: int(name[1:])) == ids(samples)
        shown = [set(part["image_id"].to_pylist()) for part in parts]
        assert sum(map(len, shown)) == len(set(images))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert all(ids(part) == sorted(ids(part), key=lambda name: int(name[1:])) for part in parts)
    assert [len(part) for part in split_by_image(samples_on(["a", "a", "b"]), 3)] == [2, 1, 0]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven questions on five drawn images, one question at a time: so every batch is the same."""
    folder = tmp_path_factory.mktemp("parallel")
    run = load_experiment(ROOT / "config", "micro").runs["sam_r1"]
    stage = run.predict_stage()
    sizes = {"batch_size": 1, "max_response_tokens": 60}
    values = stage.model_dump() | {"evaluation": sizes}
    values["segmenter"]["path"] = str(ROOT / stage.segmenter.path)
    (folder / "stage.yaml").write_text(dump_stage(type(stage).model_validate(values)))
    rows = []
    for number in [0, 1, 2, 3, 4, 0, 2, 0, 3, 0, 2]:
        scene = draw_scene(generator("test", "shards", number))
        (folder / f"{number}.jpg").write_bytes(encode_jpeg(render(scene)))
        thing = scene.things[len(rows) % len(scene.things)]
        query = f"the {thing.color} {thing.shape}"
        rows.append(sample_row(f"{number}.jpg", (scene.width, scene.height), query))
    samples = sample_table(rows)
    write_table(folder / "samples.parquet", samples)
    resize_images(samples, folder, run.policy.image_size, folder / "images.parquet")
    return folder


def predict(world: Path, output: Path, *extra: str) -> Path:
    call(
        predict_masks.main,
        *extra,
        config=world / "stage.yaml",
        policy=ROOT / "src/samr1/micro/weights/policy",
        samples=world / "samples.parquet",
        images=world / "images.parquet",
        root=world,
        output=output / "predictions.parquet",
    )
    return output


@pytest.fixture(scope="module")
def whole(world: Path) -> bytes:
    """The predictions of one process."""
    path = predict(world, world / "whole") / "predictions.parquet"
    assert pq.read_table(path)["mask"].null_count < 11  # there is something to compare
    return path.read_bytes()


def test_one_process_s_error_is_everyone_s(world: Path, tmp_path: Path) -> None:
    picture = (world / "4.jpg").read_bytes()
    (world / "4.jpg").write_bytes(picture[:300])
    try:
        with pytest.raises(UserError, match=r"4\.jpg: the image is broken"):
            predict(world, tmp_path / "broken", "--processes", "2")
    finally:
        (world / "4.jpg").write_bytes(picture)
    assert not (tmp_path / "broken").exists()
    assert not parallel.multiprocessing.active_children()


def test_what_does_not_fit_a_gpu_is_answered_fewer_at_once(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*given: Any, **options: Any) -> pa.Table:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.46 GiB.")

    monkeypatch.setattr(parallel, "predict", fill)
    with pytest.raises(UserError, match=r"answers of up to .* lower evaluation\.batch_size"):
        predict(world, tmp_path / "full")
    assert not (tmp_path / "full").exists()


def predict_both(world: Path, output: Path, *extra: str) -> list[Path]:
    """The questions once as they are, and once the last five of them alone, by one command."""
    few = output / "few.parquet"
    if not few.exists():
        write_table(few, pq.read_table(world / "samples.parquet")[-5:])
    outputs = [output / "predictions.parquet", output / "of_few.parquet"]
    predict(
        *(world, output),
        *("--samples", str(world / "samples.parquet"), str(few)),
        *("--images", *2 * [str(world / "images.parquet")]),
        *("--output", *map(str, outputs)),
        *("--kept", str(output / "kept"), *extra),
    )
    return outputs


def test_what_is_kept_is_of_models_and_inputs_as_they_are(tmp_path: Path) -> None:
    policy, segmenter = tmp_path / "policy", tmp_path / "segmenter"
    read = [policy / "model.safetensors", segmenter / "model.safetensors", tmp_path / "samples"]
    for file in read:
        file.parent.mkdir(exist_ok=True)
        file.touch()

    def place(segmenter: Path = segmenter) -> Path:
        stage = predict_stage(segmenter=str(segmenter))
        return Kept(tmp_path / "kept", stage, str(policy), read[2:]).place("0")

    assert place() == place() != place(tmp_path / "another")
    for file in read:
        before = place()
        file.write_bytes(b"of another size")
        assert place() != before
    before = place(read[1])
    read[1].write_bytes(b"one file")
    assert place(read[1]) != before


@pytest.mark.parametrize("processes", ["1", "2"])
def test_each_process_loads_once_for_all_benchmarks(
    world: Path, whole: bytes, tmp_path: Path, processes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []  # by this process, the parent
    load = parallel.load_policy
    monkeypatch.setattr(
        parallel, "load_policy", lambda path, *given: (loaded.append(path), load(path, *given))[1]
    )
    first, second = predict_both(world, tmp_path, "--processes", processes)
    assert first.read_bytes() == whole
    columns = ["sample_id", "text", "mask"]  # scores differ with the images of a batch
    assert pq.read_table(second).select(columns) == pq.read_table(first).select(columns)[-5:]
    assert len(loaded) == {"1": 1, "2": 0}[processes]  # the parent of several needs no model
    assert not (tmp_path / "kept").exists()


def test_no_process_outlives_a_prediction_that_is_killed(world: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    options = {
        "config": [world / "stage.yaml"],
        "policy": [ROOT / "src/samr1/micro/weights/policy"],
        "samples": 2 * [world / "samples.parquet"],
        "images": 2 * [world / "images.parquet"],
        "root": [world],
        "output": outputs,
        "processes": [2],
    }
    words = [word for name, values in options.items() for word in (f"--{name}", *map(str, values))]
    parent = psutil.Popen([sys.executable, "-m", "samr1.cli.predict_masks", *words])
    wait_until(outputs[0].exists)  # both have loaded their models
    children = parent.children()
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    for child in alive:
        child.kill()
    assert len(children) >= 2 and not alive


def test_a_benchmark_that_is_finished_is_not_answered_again(
    world: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[int] = []
    answer = parallel.predict

    def stop_at_the_second(samples: pa.Table, *given: Any, **options: Any) -> pa.Table:
        answered.append(len(samples))
        if len(answered) == 2:
            raise UserError("the power failed")
        return answer(samples, *given, **options)

    monkeypatch.setattr(parallel, "predict", stop_at_the_second)
    with pytest.raises(UserError, match="the power failed"):
        predict_both(world, tmp_path)
    assert not list(tmp_path.glob("*predictions*"))
    first, second = predict_both(world, tmp_path)
    assert answered == [11, 5, 5]
    assert first.read_bytes() == whole and second.exists()
    # What is kept is of these inputs and no others.
    answered[:] = []
    with pytest.raises(UserError, match="the power failed"):
        predict_both(world, tmp_path)
    (tmp_path / "few.parquet").touch()
    predict_both(world, tmp_path)
    assert answered == [11, 5, 11, 5]
