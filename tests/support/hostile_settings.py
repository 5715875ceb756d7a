"""A configuration and a checkpoint of a training that are whole, for those who damage them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hostile_readers import Reader
from training_world import make_stage

from samr1.config.datasets import load_datasets
from samr1.config.merge import load_experiment
from samr1.config.pretrain import PretrainConfig
from samr1.config.schema import load_stage
from samr1.core.errors import UserError
from samr1.train.checkpoint import Checkpoints, Progress

ROOT = Path(__file__).parents[2]
SETTINGS = (
    *("runs", "benchmarks", "studies", "datasets", "scales/micro", "scales/smoke"),
    *("baselines", "published", "own_data", "pretrain"),
)
OWN_DATA = """
photos: {layout: table, root: my_photos, file: questions.csv, test_share: 0.2}
parts: {layout: masks, root: parts, images: pictures, masks: masks, categories: {1: a bolt}}
"""


def write_config(folder: Path) -> None:
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "config" / "own_data.yaml").write_text(OWN_DATA)


def read_config(folder: Path, _: Any) -> Any:
    config = folder / "config"
    return (
        load_experiment(config, "smoke"),
        load_experiment(config, "paper").baselines,
        load_datasets(config / "datasets.yaml"),
        load_stage(config / "pretrain.yaml", PretrainConfig),
    )


def open_checkpoints(folder: Path) -> Checkpoints:
    engine = SimpleNamespace(
        rank=0, processes=1, gather=list, tensors=dict, load_tensors=lambda tensors: None
    )
    stage = make_stage(Path("/world"))
    return Checkpoints(folder, cast(Any, engine), stage, {"samples": "a" * 64})


def read_checkpoint(folder: Path, _: Any) -> Progress:
    found = open_checkpoints(folder).load()
    if found is None:
        raise UserError("it is damaged, so it is passed over.")
    return found


SETTINGS_AND_CHECKPOINTS = [
    Reader("YAML", tuple(f"config/{name}.yaml" for name in SETTINGS), write_config, read_config),
    Reader(
        "checkpoint of a training",
        ("step_000002/manifest.json",),
        lambda folder: open_checkpoints(folder).save(Progress(2, [], [])),
        read_checkpoint,
    ),
]
