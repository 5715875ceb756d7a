"""Four questions on three pictures, and what prediction needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from made_up_samples import sample_row, sample_table
from PIL import Image

from samr1.config.schema import PredictStage
from samr1.data.resizing import ImageStore, resize_images
from samr1.evaluation.responses import Response
from samr1.micro.segmenter_config import IMAGE_SIZE, SEGMENTER_CONFIG
from samr1.policy.model import Policy, encode_question
from samr1.rollout.sample import sample_groups
from samr1.segmenter import Segmenter
from samr1.segmenter.build import build_sam2

SIDE = 28  # pixels of the policy's square
SIZES = {"a": (61, 47), "b": (40, 52), "c": (33, 33)}  # width, height
# More questions than images, and questions on one image apart.
QUESTIONS = [("a", "the red ball"), ("b", "x"), ("a", "yes"), ("c", "a thing left of it")]


def random_segmenter() -> Segmenter:
    """The micro SAM 2 with random weights."""
    torch.manual_seed(0)
    return Segmenter(build_sam2(SEGMENTER_CONFIG))


def save_pictures(folder: Path, sizes: Mapping[str, tuple[int, int]] = SIZES) -> Path:
    """Write pictures of noise into `folder`, by name and (width, height)."""
    rng = np.random.default_rng(0)
    for name, (width, height) in sizes.items():
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def question_table(
    questions: list[tuple[str, str]], sizes: Mapping[str, tuple[int, int]] = SIZES
) -> pa.Table:
    return sample_table(sample_row(f"{name}.png", sizes[name], query) for name, query in questions)


def store_pictures(samples: pa.Table, root: Path) -> ImageStore:
    """The pictures as the policy sees them."""
    path = root / "images.parquet"
    resize_images(samples, root, SIDE, path)
    return ImageStore(path)


def stage(batch_size: int = 3, segmenter: str = "none") -> PredictStage:
    values: dict[str, Any] = {
        "name": "run",
        "dialect": "sam_r1",
        "threads": 1,
        "policy": {"path": "p", "image_size": SIDE, "dtype": "float32", "train_vision": False},
        "segmenter": {"path": segmenter, "image_size": IMAGE_SIZE},
        "evaluation": {"batch_size": batch_size, "max_response_tokens": 6},
    }
    return PredictStage(**values)


def plain_response(policy: Policy, store: ImageStore, row: dict[str, Any]) -> Response:
    """The twin: one question alone, its image encoded for it."""
    question = encode_question(policy, store.get(row["image_id"]), row["query"], "sam_r1")
    group = sample_groups(policy, [question], group_size=1, temperature=0.0, max_new_tokens=6)[0]
    tokens = group.responses[0]
    return Response(policy.tokenizer.decode(tokens, skip_special_tokens=True), len(tokens))
