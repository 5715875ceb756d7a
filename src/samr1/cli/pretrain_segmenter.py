"""Train the tiny SAM 2 from random weights on scenes of the pre-training split."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from samr1.cli.parser import Parser
from samr1.config.pretrain import PretrainConfig
from samr1.config.schema import load_stage
from samr1.core.errors import run_command
from samr1.core.files import atomic_folder
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.pretrain.segmenter import pretrain_segmenter
from samr1.segmenter.build import build_sam2


def main() -> None:
    """Parse, train, write."""
    parser = Parser(prog="python -m samr1.cli.pretrain_segmenter", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="config/pretrain.yaml")
    parser.add_argument("--log", type=Path, required=True, help="log (JSON lines) to write")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: 1)")
    parser.add_argument("--output", type=Path, required=True, help="segmenter folder to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    recipe = load_stage(arguments.config, PretrainConfig).segmenter
    torch.manual_seed(recipe.seed)
    model = build_sam2(SEGMENTER_CONFIG)
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    with arguments.log.open("w") as log:
        pretrain_segmenter(
            model, recipe, record=lambda row: print(json.dumps(row), file=log, flush=True)
        )
    with atomic_folder(arguments.output, "pretrain_segmenter") as folder:
        save_file(model.state_dict(), folder / "model.safetensors")
        (folder / "config.yaml").write_text(yaml.safe_dump(SEGMENTER_CONFIG, sort_keys=False))


if __name__ == "__main__":
    run_command(main)
