"""The work that one GRPO step must do, from the sizes alone."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import Qwen2_5_VLConfig

from samr1.planning.parameters import text_of
from samr1.planning.work import decoding_bytes, forward, text_weights, vision_weights


@dataclass(frozen=True)
class Work:
    """Of one step: operations by phase, and the bytes that no cache can hold back from memory."""

    rollout: float
    reference: float
    update: float
    decoding_bytes: float  # weights and keys and values, read for every token but the first
    optimizer_bytes: float  # AdamW: weight, gradient and both moments read, all but one written

    @property
    def operations(self) -> float:
        return self.rollout + self.reference + self.update

    @property
    def bytes(self) -> float:
        return self.decoding_bytes + self.optimizer_bytes


def count_step(
    config: Qwen2_5_VLConfig, prompt: int, patches: int, group: int, length: int, updates: int
) -> Work:
    """The work on one question: `prompt` tokens, `patches` before merging, G responses of T."""
    once, text = forward(config, prompt, patches, group, length), text_of(config)
    head = text.vocab_size * text.hidden_size
    embeddings = 0 if config.tie_word_embeddings else head
    weights = text_weights(config) + head + embeddings + sum(vision_weights(config))
    return Work(
        rollout=once,
        reference=once,
        update=3 * once * updates,
        decoding_bytes=decoding_bytes(config, prompt, group, length),
        optimizer_bytes=4.0 * 7 * weights * updates,
    )
