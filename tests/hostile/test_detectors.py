"""Grounding DINOs of strangers: what is refused at loading, and the sentence that says so."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from spoiling import CONFIG, IMAGES, PIPELINE, put
from tiny_detector import save_detector, tiny_detector

from samr1.core.errors import UserError
from samr1.detector import Detector


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector") / "whole"
    save_detector(tiny_detector(), folder)
    return folder


@pytest.mark.parametrize(
    ("file", "path", "value", "sentence"),
    [
        (CONFIG, "model_type", "bert", "must be of model_type grounding-dino"),
        (CONFIG, "backbone_config.model_type", "timm_backbone", "must be of model_type swin"),
        (CONFIG, "text_config", "bert", "text_config: must be of model_type bert"),
        (CONFIG, "encoder_layers", 10**6, "encoder_layers must be at most 64"),
        (CONFIG, "backbone_config.depths", [1, 1, 10**6, 1], "depths must be at most 64"),
        (CONFIG, "num_queries", 10**9, "num_queries must be at most 1048576"),
        (CONFIG, "d_model", 64, "do not fit config.json"),
        (CONFIG, "encoder_attention_heads", 0, "no Grounding DINO can be built"),
        (CONFIG, "activation_function", "os.system", "no Grounding DINO can be built"),
        (CONFIG, "encoder_layers", 2, r"do not fit config.json: \d+ missing"),
        (PIPELINE, "normalizer", {"type": "Replace"}, "the normalizer of its tokenizer.json"),
        (PIPELINE, "model.type", "Unigram", "is no plain WordPiece"),
        (IMAGES, "image_std", [0, 1, 1], r"image_std\.0 = 0"),
        (IMAGES, "size", {"shortest_edge": 10**6}, "shortest_edge = 1000000"),
    ],
)
def test_what_is_no_detector_is_refused_in_one_sentence(
    whole: Path, tmp_path: Path, file: str, path: str, value: Any, sentence: str
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "detector"))
    put(file, path, value)(folder)
    with pytest.raises(UserError, match=rf"^[^\n]*{sentence}[^\n]*\.$"):
        Detector.load(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weight: weight * math.nan, "infinite or none"),
        (lambda weight: weight.to(torch.int8), "as I8, which are no"),
        (lambda weight: weight[:1], "do not fit config.json"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(
    whole: Path, tmp_path: Path, change: Callable[[torch.Tensor], torch.Tensor], sentence: str
) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "detector"))
    weights = load_file(folder / "model.safetensors")
    weights["model.level_embed"] = change(weights["model.level_embed"])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"^[^\n]*{sentence}[^\n]*\.$"):
        Detector.load(folder)


def test_labels_and_code_of_a_configuration_are_not_read(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "detector"))
    content = json.loads((folder / CONFIG).read_text())
    strange = {"num_labels": 10**9, "auto_map": {"AutoModel": "evil.Evil"}, "dtype": "load"}
    (folder / CONFIG).write_text(json.dumps(content | strange))
    (folder / "evil.py").write_text("raise SystemExit")
    assert Detector.load(folder).model.dtype == torch.float32
