"""A small training world for tests: models, samples, images, and the stage that trains on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import yaml
from made_up_samples import sample_row, sample_table
from PIL import Image
from safetensors.torch import save_file
from tiny import tiny_policy
from torch import nn

from samr1.config.schema import TrainStage
from samr1.core import schemas
from samr1.core.files import read_table, write_table
from samr1.data.masks import encode_mask
from samr1.data.resizing import ImageStore, resize_images
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.policy.model import save_policy
from samr1.segmenter.build import build_sam2
from samr1.train.batches import Batch, prepare_batch, read_samples

SIDE = 56  # of the policy's images


def make_stage(folder: Path, **train: Any) -> TrainStage:
    settings: dict[str, Any] = {
        "samples": 4,
        "steps": 3,
        "group_size": 3,
        "questions_per_step": 2,
        "updates_per_rollout": 2,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "max_grad_norm": 0.5,
        "schedule": "linear",
        "warmup_steps": 0,
        "clip_low": 0.2,
        "clip_high": 0.3,
        "kl_coef": 0.005,
        "normaliser": "group",
        "temperature": 1.0,
        "top_p": 1.0,
        "max_response_tokens": 8,
        "tokens_per_pass": 4096,
        "gradient_checkpointing": False,
        "zero_stage": 0,
        "checkpoint_steps": 1,
    }
    return TrainStage.model_validate(
        {
            "name": "test",
            "seed": 0,
            "dialect": "sam_r1",
            "threads": 1,
            "policy": {
                "path": str(folder / "policy"),
                "image_size": SIDE,
                "dtype": "float32",
                "train_vision": True,
            },
            "segmenter": {"path": str(folder / "segmenter"), "image_size": 128},
            "reward": {"segmentation": "tiered", "negative_points": "none"},
            "train": settings | train,
        }
    )


def make_world(folder: Path, family: str = "qwen2_5_vl") -> Path:
    """A policy, a segmenter, and five samples on three images of unequal sizes."""
    save_policy(tiny_policy(family=family), folder / "policy")
    torch.manual_seed(3)
    model = build_sam2(SEGMENTER_CONFIG)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    (folder / "segmenter").mkdir()
    (folder / "segmenter" / "config.yaml").write_text(yaml.safe_dump(SEGMENTER_CONFIG))
    save_file(model.state_dict(), folder / "segmenter" / "model.safetensors")
    draw = np.random.default_rng(0)
    rows = []
    for index in range(5):
        image = index % 3
        width, height = 90 + 10 * image, 70
        pixels = np.random.default_rng(image).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{image}.png")
        mask = np.zeros((height, width), bool)
        left, top = draw.integers(0, 30, 2)
        mask[top : top + 30, left : left + 40] = True
        box = [float(left), float(top), float(left + 40), float(top + 30)]
        query = "a ball" + " there" * index
        row = sample_row(f"{image}.png", (width, height), query, box=box, mask=encode_mask(mask))
        rows.append(row)
    table = sample_table(rows)
    write_table(folder / "samples.parquet", table)
    resize_images(table, folder, SIDE, folder / "images.parquet")
    return folder


def command_line(world: Path, output: Path, config: Path) -> dict[str, Path]:
    """The options of `train_policy` in the world, which writes below `output`."""
    return {
        "config": config,
        "samples": world / "samples.parquet",
        "images": world / "images.parquet",
        "root": world,
        "output_policy": output / "policy",
        "output_metrics": output / "metrics.parquet",
        "output_timings": output / "timings.parquet",
        "tensorboard": output / "board",
        "checkpoints": output / "checkpoints",
    }


def samples_of(world: Path) -> pa.Table:
    return read_table(world / "samples.parquet", schemas.SAMPLES)


def batch_of(world: Path, stage: TrainStage, samples: pa.Table | None = None) -> Batch:
    """All samples of the world, or `samples` on its images, as one step's batch."""
    images = ImageStore(world / "images.parquet")
    rows = read_samples(samples_of(world) if samples is None else samples)
    return prepare_batch(tiny_policy(), rows, 0, 1, images, world, stage)
