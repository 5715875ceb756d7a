"""What the plans are made of: a training process in sizes, and a sum with its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import Qwen2_5_VLConfig

from samr1.planning.segmenter_size import SegmenterSize


@dataclass(frozen=True)
class Job:
    """What the memory of one process of a training depends on."""

    policy: Qwen2_5_VLConfig
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


@dataclass(frozen=True)
class MemoryItem:
    """One sum of the plan: what it is, how it was calculated, and its bytes."""

    what: str
    sum: str
    bytes: float


def total(lines: list[MemoryItem]) -> float:
    """The bytes of all `lines`."""
    return sum(line.bytes for line in lines)
