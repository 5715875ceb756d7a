"""What the plans are made of: a training process in sizes, and figures with their arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from samr1.config.schema import TrainStage
from samr1.planning.parameters import (
    ParameterCounts,
    check_trainable,
    count_adapter,
    count_image_tokens,
    count_parts,
    find_policy_config,
    read_as_trainable,
)
from samr1.planning.segmenter_size import SegmenterSize, find_segmenter_size
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
    """What the memory and the time of one process of a training depend on."""

    policy: QwenConfig
    parts: ParameterCounts
    segmenter: SegmenterSize
    segmenter_size: int  # side of its input, pixels
    image_size: int  # side of the policy's image, pixels
    number_bytes: int  # of a weight in the forward pass: 2 or 4
    trainable: int  # numbers that are trained
    adapter: bool  # they are adapters; the weights below are frozen and serve as the reference
    train_vision: bool  # by itself, or by adapters of its own
    processes: int
    zero_stage: int
    offload: bool  # AdamW's states are the host's, and its step too
    gradient_checkpointing: bool
    checkpoint_steps: int
    tokens_per_pass: int
    group_size: int
    questions: int  # of one process in one step
    response_tokens: int  # the limit
    prompt_tokens: int  # image included
    cuda: bool

    @property
    def row(self) -> int:
        """Tokens of one packed row: the prompt, and each response without its last token."""
        return self.prompt_tokens + self.group_size * (self.response_tokens - 1)

    @property
    def passes(self) -> int:
        """The passes of one update."""
        return -(-self.questions // max(self.tokens_per_pass // self.row, 1))

    @property
    def pass_tokens(self) -> int:
        """The most tokens of one forward and backward pass."""
        return min(self.questions * self.row, max(self.tokens_per_pass, self.row))

    @property
    def pass_images(self) -> int:
        """The most images of one pass: when all responses are of one token."""
        fitting = max(self.tokens_per_pass // (self.prompt_tokens + 1), 1)
        return min(self.questions, fitting)


@cache  # runs share their policies, and a model takes a second to be counted
def _find_policy(path: str, evaluated: bool) -> tuple[QwenConfig, ParameterCounts]:
    found = find_policy_config(path)
    config = read_as_trainable(found) if evaluated else check_trainable(found, path)
    return config, count_parts(config)


def describe_job(stage: TrainStage, processes: int, cuda: bool, *, evaluated: bool = False) -> Job:
    """One of `processes` of a training.

    Raises UserError where the policy's configuration cannot be had, or is none that can be trained
    where it is not `evaluated` alone.
    """
    config, parts = _find_policy(stage.policy.path, evaluated)
    train, train_vision = stage.train, stage.policy.train_vision
    trained = parts.all - (0 if train_vision else parts.vision)
    return Job(
        policy=config,
        parts=parts,
        segmenter=find_segmenter_size(stage.segmenter.path),
        segmenter_size=stage.segmenter.image_size,
        image_size=stage.policy.image_size,
        number_bytes=2 if stage.policy.dtype == "bfloat16" else 4,
        trainable=count_adapter(config, train.lora, train_vision) if train.lora else trained,
        adapter=train.lora is not None,
        train_vision=train_vision,
        processes=processes,
        zero_stage=train.zero_stage,
        offload=train.offload_optimizer,
        gradient_checkpointing=train.gradient_checkpointing,
        checkpoint_steps=train.checkpoint_steps,
        tokens_per_pass=train.tokens_per_pass,
        group_size=train.group_size,
        questions=-(-train.questions_per_step // processes),
        response_tokens=train.max_response_tokens,
        prompt_tokens=count_image_tokens(config, stage.policy.image_size) + PROMPT_TEXT_TOKENS,
        cuda=cuda,
    )
