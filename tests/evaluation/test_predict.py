"""Prediction with a random policy and a random segmenter, against one question at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from commands import call
from PIL import Image
from predict_world import SIZES, plain_response, stage
from safetensors.torch import save_file

from samr1.cli import predict_masks
from samr1.config.schema import PredictStage
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data.masks import decode_mask
from samr1.data.resizing import ImageStore
from samr1.evaluation import predict as module
from samr1.evaluation.predict import predict
from samr1.evaluation.responses import Response, respond
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.policy.dialects import get_dialect
from samr1.policy.model import Policy, save_policy
from samr1.rollout.rows import Rows
from samr1.segmenter import Prompt, Segmenter


def answer(box: tuple[float, float, float, float], x: float, y: float) -> str:
    return get_dialect("sam_r1").respond("there it is", box, [(x, y, 1)], "ball")


SCRIPT = {
    0: answer((7, 7, 21, 14), 14, 10),
    1: "I see nothing.",
    2: answer((0, 0, 28, 28), 5, 5),
    3: '<answer>{"bbox_2d": [9, 9, 9, 9]}</answer>',
}


def scripted(*arguments: Any) -> Iterator[dict[int, Response]]:
    """Really decoded, batch after batch; but then it says what the script says."""
    for batch in respond(*arguments):
        yield {i: Response(SCRIPT[i], 5) for i in batch}


def test_answers_become_masks_at_the_original_size(
    policy: Policy,
    segmenter: Segmenter,
    store: ImageStore,
    samples: pa.Table,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "respond", scripted)
    embedded = []
    embed_batch = segmenter.embed_batch
    monkeypatch.setattr(
        segmenter, "embed_batch", lambda images: embedded.extend(images) or embed_batch(images)
    )
    table = predict(samples, store, root, policy, segmenter, stage())
    assert table.schema.equals(schemas.PREDICTIONS)
    rows = table.to_pylist()
    assert [row["sample_id"] for row in rows] == ["s0", "s1", "s2", "s3"]
    assert [row["status"] for row in rows] == ["ok", "no_answer", "ok", "empty_box"]
    assert len(embedded) == 1  # both answers that have a box are about image a
    for i, (box, point) in {
        0: ((7, 7, 21, 14), (14, 10)),
        2: ((0, 0, 28, 28), (5, 5)),
    }.items():
        # 28 pixels of the policy's picture are 61 across and 47 down.
        scale = np.array([61 / 28, 47 / 28])
        original = (np.array(box).reshape(2, 2) * scale).ravel()
        np.testing.assert_allclose(rows[i]["box"], original, rtol=1e-6)
        x, y = np.array(point) * scale
        assert rows[i]["points"][0]["value"] == 1
        assert rows[i]["points"][0]["x"] == pytest.approx(x, rel=1e-6)
        image = np.array(Image.open(root / "a.png"))
        masks, scores = segmenter.predict(
            segmenter.embed(image), [Prompt(tuple(original), ((x, y, 1),))]
        )
        found = decode_mask(rows[i]["mask"])
        assert found.shape == (47, 61)
        assert (found != masks[0].numpy()).mean() < 1e-3
        assert rows[i]["sam_score"] == pytest.approx(scores.item(), rel=1e-4)
        assert (rows[i]["think"], rows[i]["label"]) == ("there it is", "ball")
    for i in (1, 3):
        assert rows[i]["mask"] is None and rows[i]["box"] is None and rows[i]["sam_score"] is None


def test_points_that_no_mask_is_made_of_are_counted(
    policy: Policy,
    segmenter: Segmenter,
    store: ImageStore,
    samples: pa.Table,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = [{"point_2d": [9, 9], "value": 1}] * 19
    many = json.dumps({"bbox_2d": [7, 7, 21, 14], "points": points})
    monkeypatch.setitem(SCRIPT, 2, f"<think>x</think><answer>{many}</answer>")
    monkeypatch.setattr(module, "respond", scripted)
    table = predict(samples, store, root, policy, segmenter, stage())
    assert [len(points) for points in table["points"].to_pylist()] == [1, 0, 16, 0]
    said = capsys.readouterr().err
    assert "note: 3 points were not given to the segmenter, which takes 16 of an object" in said


def background_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.fixture
def everything_has_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "respond", scripted)
    boxes = [(7, 7, 21, 14), (3, 2, 25, 20), (0, 0, 28, 28), (1, 9, 12, 27)]
    for i, box in enumerate(boxes):
        monkeypatch.setitem(SCRIPT, i, answer(box, 10 + i, 12))


@pytest.mark.usefixtures("everything_has_a_box")
@pytest.mark.parametrize("batch_size", [1, 3])
def test_decoding_in_the_background_changes_nothing(
    policy: Policy,
    segmenter: Segmenter,
    store: ImageStore,
    samples: pa.Table,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    batch_size: int,
) -> None:
    embedded, decoders = [], set()
    embed_batch, fill = segmenter.embed_batch, Rows.fill
    monkeypatch.setattr(
        segmenter, "embed_batch", lambda images: embedded.extend(images) or embed_batch(images)
    )

    def watched(*arguments: Any, **options: Any) -> Any:
        decoders.add(threading.get_ident())
        return fill(*arguments, **options)

    monkeypatch.setattr(Rows, "fill", watched)

    def run() -> pa.Table:
        embedded.clear()
        decoders.clear()
        table = predict(samples, store, root, policy, segmenter, stage(batch_size))
        assert len(embedded) == len(SIZES)  # also of an image whose questions are in two batches
        return table

    plain = run()
    assert decoders == {threading.get_ident()}
    assert all(row["mask"] is not None for row in plain.to_pylist())
    monkeypatch.setattr(module, "overlaps", lambda device: True)
    assert run().equals(plain)
    assert len(decoders) == 1 and threading.get_ident() not in decoders

    def all_first(*arguments: Any) -> Iterator[dict[int, Response]]:
        yield {i: response for batch in list(scripted(*arguments)) for i, response in batch.items()}

    monkeypatch.setattr(module, "respond", all_first)
    first, then = plain.to_pylist(), run().to_pylist()
    for one, other in zip(first, then, strict=True):
        assert one.pop("sam_score") == pytest.approx(other.pop("sam_score"), rel=1e-5)
        assert one == other
    assert background_threads() == []


@pytest.mark.usefixtures("everything_has_a_box")
@pytest.mark.parametrize("beside", [False, True])
def test_errors_on_either_side_surface_and_leave_no_thread(
    policy: Policy,
    segmenter: Segmenter,
    store: ImageStore,
    samples: pa.Table,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    beside: bool,
) -> None:
    monkeypatch.setattr(module, "overlaps", lambda device: beside)

    def run() -> None:
        predict(samples, store, root, policy, segmenter, stage(1))

    fills, fill = [], Rows.fill

    def fails_at_the_third(*arguments: Any, **options: Any) -> Any:
        fills.append(arguments)
        if len(fills) == 3:
            raise UserError("out of luck.")
        return fill(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "fill", fails_at_the_third)
        with pytest.raises(UserError, match=r"out of luck\."):
            run()
    assert len(fills) == 3 and background_threads() == []
    whole = (root / "b.png").read_bytes()
    (root / "b.png").write_bytes(whole[:200])
    try:
        with pytest.raises(UserError, match=r"b\.png: the image is broken"):
            run()
    finally:
        (root / "b.png").write_bytes(whole)
    assert background_threads() == []


def test_what_is_missing_is_named_before_anything_runs(
    policy: Policy, segmenter: Segmenter, store: ImageStore, samples: pa.Table, tmp_path: Path
) -> None:
    def run(table: pa.Table, root: Path, config: PredictStage) -> None:
        predict(table, store, root, policy, segmenter, config)

    with pytest.raises(UserError, match=r"a\.png: no such image, of sample s0"):
        run(samples, tmp_path, stage())
    unknown = samples.set_column(3, "image_id", [["z", "b", "a", "c"]])
    with pytest.raises(UserError, match="has no image z of sample s0"):
        run(unknown, tmp_path, stage())
    with pytest.raises(UserError, match="no samples"):
        run(samples.slice(0, 0), tmp_path, stage())
    other = stage().model_copy(
        update={"policy": stage().policy.model_copy(update={"image_size": 84})}
    )
    with pytest.raises(UserError, match=r"28 pixels a side.*is 84"):
        run(samples, tmp_path, other)


def test_the_command_writes_the_same_bytes_twice(
    policy: Policy,
    segmenter: Segmenter,
    samples: pa.Table,
    store: ImageStore,
    root: Path,
    tmp_path: Path,
) -> None:
    save_policy(policy, tmp_path / "policy")
    (tmp_path / "sam").mkdir()
    (tmp_path / "sam" / "config.yaml").write_text(yaml.safe_dump(SEGMENTER_CONFIG))
    save_file(segmenter.model.state_dict(), tmp_path / "sam" / "model.safetensors")
    config = stage(segmenter=str(tmp_path / "sam")).model_dump(mode="json")
    (tmp_path / "stage.yaml").write_text(yaml.safe_dump(config))
    pq.write_table(samples, tmp_path / "samples.parquet")

    def run(name: str) -> Path:
        output = tmp_path / name / "predictions.parquet"
        call(
            predict_masks.main,
            config=tmp_path / "stage.yaml",
            policy=tmp_path / "policy",
            samples=tmp_path / "samples.parquet",
            images=store.path,
            root=root,
            output=output,
        )
        return output

    first, second = run("one"), run("two")
    assert first.read_bytes() == second.read_bytes()
    table = pq.read_table(first)
    assert table.schema.equals(schemas.PREDICTIONS, check_metadata=False)
    assert table["text"].to_pylist() == [
        plain_response(policy, store, row).text for row in samples.to_pylist()
    ]

    (root / "c.png").rename(root / "gone.png")
    try:
        with pytest.raises(UserError, match=r"c\.png"):
            run("three")
    finally:
        (root / "gone.png").rename(root / "c.png")
    assert not (tmp_path / "three").exists()
