"""The work that one GRPO step must do: floating-point operations and bytes, from the sizes alone.

The prompt and the image count once a pass, not once a response. A product of [m, k] and [k, n] is
2 m k n operations; a backward pass is twice its forward pass. Left out, because they are small
here: normalisations, activations, the softmax, and the sampling itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import Qwen2_5_VLConfig

from samr1.planning.parameters import text_of, vision_of


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
    forward = vision_forward(config, patches) + text_forward(config, prompt, group, length)
    text = text_of(config)
    head_weights = text.vocab_size * text.hidden_size
    embeddings = 0 if config.tie_word_embeddings else head_weights
    all_weights = text_weights(config) + head_weights + embeddings + vision_weights(config)
    return Work(
        rollout=forward,
        reference=forward,
        update=3 * forward * updates,
        decoding_bytes=decoding_bytes(config, prompt, group, length),
        optimizer_bytes=4.0 * 7 * all_weights * updates,
    )


def decoding_bytes(
    config: Qwen2_5_VLConfig,
    prompt: int,
    group: int,
    length: int,
    questions: int = 1,
    number_bytes: int = 4,
) -> float:
    """Bytes read for every token but the first, `questions` decoded together.

    The weights are read once for all of them, a prompt's keys and values once for its group.
    """
    text = text_of(config)
    head = text.hidden_size // text.num_attention_heads
    kept = 2 * text.num_key_value_heads * head * text.num_hidden_layers  # numbers a token
    cached = sum(prompt + group * time for time in range(1, length))
    weights = text_weights(config) + text.vocab_size * text.hidden_size
    return float(number_bytes * ((length - 1) * weights + questions * cached * kept))


def text_weights(config: Qwen2_5_VLConfig) -> int:
    """Weights of the language model's layers that every token is multiplied with."""
    text = text_of(config)
    head = text.hidden_size // text.num_attention_heads
    attention = 2 * text.hidden_size**2 + 2 * text.hidden_size * text.num_key_value_heads * head
    mlp = 3 * text.hidden_size * text.intermediate_size
    return int(text.num_hidden_layers * (attention + mlp))


def text_forward(config: Qwen2_5_VLConfig, prompt: int, group: int, length: int) -> float:
    """Operations of the language model and its head over a prompt and its group."""
    text = text_of(config)
    tokens = prompt + group * (length - 1)  # nothing is read from a response's last token
    seen = prompt * (prompt + 1) / 2  # pairs of a query and a key that it sees
    seen += group * sum(prompt + time for time in range(1, length))
    head = text.vocab_size * text.hidden_size * group * length
    attention = 2 * seen * text.hidden_size * text.num_hidden_layers
    return 2.0 * (text_weights(config) * tokens + head + attention)


def vision_weights(config: Qwen2_5_VLConfig) -> int:
    """Weights of the vision tower, patch embedding and merger included."""
    vision = vision_of(config)
    block = 4 * vision.hidden_size**2 + 3 * vision.hidden_size * vision.intermediate_size
    return int(_embedding(config) + vision.depth * block + _merger(config))


def vision_forward(config: Qwen2_5_VLConfig, patches: int) -> float:
    """Operations of the vision tower over one square image."""
    vision = vision_of(config)
    merged = vision.spatial_merge_size**2
    per_patch = vision_weights(config) - _merger(config)
    window = min((vision.window_size // vision.patch_size) ** 2, patches)
    whole = len(vision.fullatt_block_indexes)
    seen = patches * (whole * patches + (vision.depth - whole) * window)
    attention = 2 * seen * vision.hidden_size
    return 2.0 * (per_patch * patches + _merger(config) * patches / merged + attention)


def _embedding(config: Qwen2_5_VLConfig) -> int:
    vision = vision_of(config)
    pixels = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    return int(pixels * vision.hidden_size)


def _merger(config: Qwen2_5_VLConfig) -> int:
    """Weights that one merged patch is multiplied with."""
    vision = vision_of(config)
    wide = vision.hidden_size * vision.spatial_merge_size**2
    return int(wide * wide + wide * vision.out_hidden_size)
