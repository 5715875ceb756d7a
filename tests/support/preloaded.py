"""What every training, every Snakemake and every job of a test imports: they are forked from one
process that has it."""

from __future__ import annotations

import os

os.environ.setdefault("LOCAL_RANK", "0")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

import deepspeed.runtime.zero.muon.original_muon  # noqa: F401 (seconds, at the first engine)
import peft  # noqa: F401
import snakemake.cli  # noqa: F401
import torch.utils.tensorboard  # noqa: F401
import training_world  # noqa: F401
from transformers.conversion_mapping import get_checkpoint_conversion_mapping

import samr1.cli.check_models
import samr1.cli.draw_figure
import samr1.cli.draw_gallery
import samr1.cli.draw_world
import samr1.cli.index_objects
import samr1.cli.make_table
import samr1.cli.predict_masks
import samr1.cli.score_benchmark
import samr1.cli.train_policy
import samr1.config.jobs  # noqa: F401

get_checkpoint_conversion_mapping("qwen2_5_vl")  # the first makes those of all models
