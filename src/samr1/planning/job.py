"""What the plans are made of: a training process in sizes, and figures with their arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from samr1.config.lora import LoraConfig
from samr1.config.schema import TrainStage
from samr1.config.train import TrainConfig
from samr1.planning.parameters import (
    ParameterCounts,
    SegmenterSize,
    check_trainable,
    count_adapter,
    count_image_tokens,
    count_parts,
    count_patches,
    find_policy_config,
    find_segmenter_size,
    read_as_trainable,
    text_of,
    vision_of,
)
from samr1.policy.families import QwenConfig

# Tokens of the prompt beside the image's: the longest dialect's template takes 160, a question 20.
PROMPT_TEXT_TOKENS = 200


@dataclass(frozen=True)
class Estimate:
    """One figure of a plan: what it is, how it was calculated, and its bytes, seconds or hours.

    `basis` says of the latter two whether the rates behind them are assumed or measured.
    """

    what: str
    sum: str
    amount: float
    basis: str = ""


def times(what: str, *factors: float | tuple[float, str], by: int = 1) -> Estimate:
    """A product, the last factor in bytes, shared by so many; a factor may say what it counts.

    >>> times("keys", (4, "tokens"), 1000, 2, by=8)
    Estimate(what='keys', sum='4 tokens × 1,000 × 2 B / 8', amount=1000.0, basis='')
    """
    pairs = [one if isinstance(one, tuple) else (one, "") for one in factors]
    pairs[-1] = (pairs[-1][0], "B")
    words = " × ".join(f"{number:,.0f} {unit}".strip() for number, unit in pairs)
    size = math.prod(number for number, _ in pairs) / by
    return Estimate(what, words + f" / {by}" * (by > 1), size)


def total(estimates: Iterable[Estimate]) -> float:
    """The amount of all `estimates`."""
    return sum(one.amount for one in estimates)


@dataclass(frozen=True)
class Job:
    """One of the `processes` of a training: its settings, and the sizes of what it works on."""

    stage: TrainStage
    policy: QwenConfig
    parts: ParameterCounts
    trainable: int  # numbers that are trained: weights, or adapters
    segmenter: SegmenterSize
    prompt_tokens: int  # image included
    processes: int
    cuda: bool

    @property
    def train(self) -> TrainConfig:
        return self.stage.train

    @property
    def text(self) -> Any:
        """The language model's part of the policy's configuration."""
        return text_of(self.policy)

    @property
    def vision(self) -> Any:
        """The vision tower's part."""
        return vision_of(self.policy)

    @property
    def number_bytes(self) -> int:
        """Of a weight in the forward pass."""
        return 2 if self.stage.policy.dtype == "bfloat16" else 4

    @property
    def adapter(self) -> bool:
        """Whether adapters are trained; the weights below are frozen and serve as the reference."""
        return self.train.lora is not None

    @property
    def two_calls(self) -> bool:
        """Whether packed rows are attended in two calls, as on a CPU always."""
        return not self.cuda or self.stage.policy.attention == "two_calls"

    @property
    def patches(self) -> int:
        """Of an image, before merging."""
        return count_patches(self.policy, self.stage.policy.image_size)

    @property
    def questions(self) -> int:
        """Of this process in one step."""
        return -(-self.train.questions_per_step // self.processes)

    @property
    def responses(self) -> int:
        """To all of them."""
        return self.questions * self.train.group_size

    @property
    def update_questions(self) -> int:
        """Of this process in one update."""
        return -(-self.questions // self.train.updates_per_epoch)

    @property
    def row(self) -> int:
        """Tokens of one packed row: the prompt, and each response without its last token."""
        return self.prompt_tokens + self.train.group_size * (self.train.max_response_tokens - 1)

    @property
    def passes(self) -> int:
        """The passes of one update."""
        return -(-self.update_questions // max(self.train.tokens_per_pass // self.row, 1))

    @property
    def pass_tokens(self) -> int:
        """The most tokens of one forward and backward pass."""
        return min(self.update_questions * self.row, max(self.train.tokens_per_pass, self.row))

    @property
    def pass_images(self) -> int:
        """The most images of one pass: when all responses are of one token."""
        fitting = max(self.train.tokens_per_pass // (self.prompt_tokens + 1), 1)
        return min(self.update_questions, fitting)


# Runs share their policies, and a model takes a second to be counted.
@cache
def _find_policy(path: str, evaluated: bool) -> tuple[QwenConfig, ParameterCounts]:
    found = find_policy_config(path)
    config = read_as_trainable(found) if evaluated else check_trainable(found, path)
    return config, count_parts(config)


@cache
def _count_adapter(path: str, evaluated: bool, lora: LoraConfig, vision: bool) -> int:
    return count_adapter(_find_policy(path, evaluated)[0], lora, vision)


def describe_job(stage: TrainStage, processes: int, cuda: bool, *, evaluated: bool = False) -> Job:
    """One of `processes` of a training.

    Raises UserError where the policy's configuration cannot be had, or is none that can be trained
    where it is not `evaluated` alone.
    """
    path, vision = stage.policy.path, stage.policy.train_vision
    config, parts = _find_policy(path, evaluated)
    trainable = parts.all - (0 if vision else parts.vision)
    if stage.train.lora is not None:
        trainable = _count_adapter(path, evaluated, stage.train.lora, vision)
    return Job(
        stage=stage,
        policy=config,
        parts=parts,
        trainable=trainable,
        segmenter=find_segmenter_size(stage.segmenter.path),
        prompt_tokens=count_image_tokens(config, stage.policy.image_size) + PROMPT_TEXT_TOKENS,
        processes=processes,
        cuda=cuda,
    )
