"""What every training and every Snakemake of a test imports: they are forked from one process
that has it."""

from __future__ import annotations

import os

os.environ.setdefault("LOCAL_RANK", "0")
os.environ.setdefault("DS_ACCELERATOR", "cpu")

import deepspeed.runtime.zero.muon.original_muon  # noqa: F401 (seconds, at the first engine)
import peft  # noqa: F401
import snakemake.cli  # noqa: F401
import torch.utils.tensorboard  # noqa: F401
import training_world  # noqa: F401
from deepspeed.ops import __compatible_ops__  # noqa: F401 (asks compilers, at the first engine)

import samr1.cli.train_policy
import samr1.config.jobs  # noqa: F401
