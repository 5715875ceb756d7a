"""What is run at a size: the published widths on a card, or tiny ones that a CPU tries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import Qwen2_5_VLConfig

from samr1.config.merge import load_experiment
from samr1.config.names import METHOD, PackedAttention
from samr1.config.schema import TrainStage
from samr1.core.errors import UserError
from samr1.gpu.models import published_policy, resized, tiny_policy, tokenizer
from samr1.micro.segmenter_config import SEGMENTER_CONFIG
from samr1.planning.fit import change_stage
from samr1.policy.attention import find_compiler
from samr1.segmenter.build import read_config
from samr1.segmenter.files import published_config

Size = Literal["7b", "tiny"]

CONFIG = Path(__file__).parents[3] / "config"  # of the checkout, beside src/


@dataclass(frozen=True)
class Setting:
    """Sizes of everything that the stages run; `questions` are those of one process in a step."""

    size: Size
    device: torch.device
    policy: Qwen2_5_VLConfig
    small: Qwen2_5_VLConfig  # of the same widths, so small that its checkpoint is soon written
    image_size: int  # side of the policy's image, pixels
    segmenter: Mapping[str, Any]  # sam2's own configuration
    prompt_words: int  # words of a question
    questions: int
    group_size: int
    tokens: int  # of each response
    # Of packed rows: Q, prompt, G, response; the last are of one more length and no other kind.
    shapes: tuple[tuple[int, int, int, int], ...]
    rows: tuple[int, ...]  # decoded together
    repeats: int  # of what is timed

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def attention(self) -> PackedAttention:
        """How packed rows are attended: by FlexAttention where it can be compiled."""
        return "flex" if self.cuda and find_compiler() else "two_calls"


def check_size(size: Size) -> torch.device:
    """The device that stages of `size` will run on, which is not touched.

    Raises UserError where there is no card for the published widths, or no `config/` beside `src/`.
    """
    _papers_training(CONFIG)
    cuda = torch.cuda.is_available()
    if size == "7b" and not cuda:
        raise UserError(
            "torch sees no GPU here (torch.cuda.is_available() is false); --size tiny runs the "
            "same stages on a CPU."
        )
    return torch.device("cuda", 0) if cuda else torch.device("cpu")


def make_setting(size: Size, device: torch.device) -> Setting:
    """The setting of `size` on `device`."""
    if size == "tiny":
        return Setting(
            size=size,
            device=device,
            policy=tiny_policy(),
            small=tiny_policy(),
            image_size=56,
            segmenter=SEGMENTER_CONFIG,
            prompt_words=3,
            questions=2,
            group_size=4,
            tokens=8,
            shapes=((2, 20, 3, 7), (1, 20, 3, 7), (2, 23, 3, 6)),
            rows=(8,),
            repeats=1,
        )
    policy = published_policy()
    return Setting(
        size=size,
        device=device,
        policy=policy,
        small=resized(policy, layers=2, vocabulary=len(tokenizer())),
        image_size=840,
        segmenter=read_config(published_config("sam2_hiera_large")),
        prompt_words=150,  # with them a prompt has the plan's 1,100 tokens
        questions=2,
        group_size=8,
        tokens=200,
        # A step's rows, one alone, one whose length is a multiple of FlexAttention's blocks, and
        # rows that differ from the first in their length alone.
        shapes=((2, 1000, 8, 130), (1, 1000, 8, 130), (1, 1024, 8, 128), (2, 1037, 8, 117)),
        rows=(16, 64),
        repeats=5,
    )


@cache
def _papers_training(config: Path) -> TrainStage:
    if not config.is_dir():
        raise UserError(
            f"{config}: is not there, and the check trains as it says; copy it with src/, or run "
            "in the checkout."
        )
    return load_experiment(config, "paper").runs[METHOD].train_stage()


def train_stage(setting: Setting, tokens: int) -> TrainStage:
    """The paper's training on one process of it, for responses of up to `tokens` tokens.

    Raises UserError where `config/` does not stand beside `src/`.
    """
    sizes = {
        "policy.image_size": setting.image_size,
        "policy.attention": setting.attention,
        "segmenter.image_size": setting.segmenter["image_size"],
        "train.group_size": setting.group_size,
        "train.questions_per_step": setting.questions,
        "train.max_response_tokens": tokens,
    }
    return change_stage(_papers_training(CONFIG), sizes)
