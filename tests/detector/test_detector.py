"""Grounded-SAM with a random Grounding DINO and a random segmenter."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from commands import call
from predict_world import question_table, random_segmenter, save_pictures
from tiny_detector import save_detector, tiny_detector

from samr1.cli import predict_grounding_dino
from samr1.config.baselines import DetectorConfig
from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data.images import load_rgb
from samr1.data.masks import decode_mask
from samr1.detector import Detector, best_boxes
from samr1.evaluation.detect import deal_batches, detect_masks
from samr1.segmenter import Prompt, Segmenter

SIZES = {"a": (61, 47), "b": (40, 52), "c": (61, 47)}  # width, height
QUESTIONS = [("a", "The red ball"), ("b", "x"), ("a", "it."), ("c", "a thing left of it")]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return tiny_detector()


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return random_segmenter()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("data"), SIZES)


@pytest.fixture(scope="module")
def samples() -> pa.Table:
    return question_table(QUESTIONS, SIZES)


def test_boxes_come_from_centre_and_size_exactly() -> None:
    logits = torch.full((3, 2, 4), -torch.inf)
    logits[:, 0, 1] = torch.tensor([0.5, -1.0, 3.0])
    logits[:, 1, 2] = torch.tensor([2.0, -0.5, 2.9])
    boxes = torch.tensor([[0.5, 0.25, 0.25, 0.125], [0.75, 0.5, 0.75, 0.5]]).repeat(3, 1, 1)
    first, second, third = best_boxes(logits, boxes, (640, 480), 0.4)
    assert first is not None and first.box == (240.0, 120.0, 640.0, 360.0)  # clipped on the right
    assert first.score == pytest.approx(1 / (1 + np.exp(-2)))
    assert second is None  # its best score is sigmoid(-0.5) = 0.378
    assert third is not None and third.box == (240.0, 90.0, 400.0, 150.0)


def test_boxes_are_those_of_the_library(detector: Detector) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 9, 5, generator=rng)
    centre = 0.3 + 0.4 * torch.rand(4, 9, 2, generator=rng)
    boxes = torch.cat([centre, 0.5 * torch.rand(4, 9, 2, generator=rng)], dim=2)
    output = SimpleNamespace(logits=logits, pred_boxes=boxes)
    theirs = detector.image_processor.post_process_object_detection(
        output, threshold=0.3, target_sizes=torch.tensor([[48, 64]] * 4)
    )
    for mine, other in zip(best_boxes(logits, boxes, (64, 48), 0.3), theirs, strict=True):
        best = int(other["scores"].argmax())
        assert mine is not None and mine.box == pytest.approx(other["boxes"][best].tolist())
        assert mine.score == pytest.approx(float(other["scores"][best]))


def test_predictions_are_those_of_one_question_at_a_time(
    detector: Detector, segmenter: Segmenter, root: Path, samples: pa.Table
) -> None:
    config = DetectorConfig(path=str(root), box_threshold=0.0, batch_size=3)
    found = detect_masks(samples, root, detector, segmenter, config).to_pylist()
    assert [row["sample_id"] for row in found] == ["s0", "s1", "s2", "s3"]
    for row, (name, query) in zip(found, QUESTIONS, strict=True):
        image = load_rgb(root / f"{name}.png")
        (alone,) = detector.detect([image], [query], 0.0)
        assert alone is not None
        assert row["box"] == pytest.approx(alone.box, abs=1e-2)
        assert row["text"] == f"{query.lower().rstrip('.')}. {alone.score:.3f}"
        masks, scores = segmenter.predict(segmenter.embed(image), [Prompt(tuple(row["box"]))])
        assert row["sam_score"] == pytest.approx(float(scores[0]), abs=1e-4)
        assert (decode_mask(row["mask"]) == masks[0].numpy()).mean() > 0.99
    assert len({tuple(row["box"]) for row in found}) == 4


def test_batches_have_one_size_and_whole_images(samples: pa.Table) -> None:
    rows = samples.to_pylist()
    ids = [[row["sample_id"] for row in batch] for batch in deal_batches(rows, 1)]
    assert ids == [["s1"], ["s0", "s2"], ["s3"]]
    ids = [[row["sample_id"] for row in batch] for batch in deal_batches(rows, 3)]
    assert ids == [["s1"], ["s0", "s2", "s3"]]


def test_below_the_threshold_there_is_no_answer(
    detector: Detector, segmenter: Segmenter, root: Path, samples: pa.Table
) -> None:
    config = DetectorConfig(path=str(root), box_threshold=0.999999, batch_size=2)
    found = detect_masks(samples, root, detector, segmenter, config).to_pylist()
    assert {row["status"] for row in found} == {"no_answer"}
    assert all(row["mask"] is None and row["box"] is None for row in found)


def test_the_command_reads_an_ordinary_folder(
    tmp_path: Path,
    detector: Detector,
    segmenter: Segmenter,
    root: Path,
    samples: pa.Table,
) -> None:
    save_detector(detector, tmp_path / "detector")
    pq.write_table(samples, tmp_path / "samples.parquet")
    segment = {"path": "src/samr1/micro/weights/segmenter", "image_size": 128}
    stage = {
        "name": "grounded",
        "threads": 1,
        "detector": {"path": str(tmp_path / "detector"), "box_threshold": 0.0},
        "segmenter": segment,
    }
    (tmp_path / "detect.yaml").write_text(yaml.safe_dump(stage))
    output = tmp_path / "predictions.parquet"
    options = {
        "config": tmp_path / "detect.yaml",
        "samples": tmp_path / "samples.parquet",
        "root": root,
        "output": output,
    }
    call(predict_grounding_dino.main, **options)
    loaded = pq.read_table(output).cast(schemas.PREDICTIONS).to_pylist()
    (alone,) = detector.detect([load_rgb(root / "b.png")], ["x"], 0.0)
    assert alone is not None and loaded[1]["box"] == pytest.approx(alone.box, abs=1e-2)

    (tmp_path / "detector" / "model.safetensors").unlink()
    with pytest.raises(UserError, match="only safetensors are read"):
        call(predict_grounding_dino.main, **options)
