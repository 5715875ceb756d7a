"""The work of a policy's passes: floating-point operations and bytes read, from the sizes alone.

The prompt and the image count once a pass, not once a response. A product of [m, k] and [k, n] is
2 m k n operations; a backward pass is twice its forward pass. Left out, because they are small
here: normalisations, activations, the softmax, and the sampling itself.
"""

from __future__ import annotations

from samr1.planning.parameters import (
    attention_width,
    count_mergers,
    is_gated,
    key_value_width,
    text_of,
    vision_of,
)
from samr1.policy.families import QwenConfig


def forward(config: QwenConfig, prompt: int, patches: int, group: int, length: int) -> float:
    """Operations over a prompt of tokens, `patches` before merging, and G responses of T."""
    return vision_forward(config, patches) + text_forward(config, prompt, group, length)


def decoding_bytes(
    config: QwenConfig,
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
    kept = 2 * key_value_width(config) * text.num_hidden_layers  # numbers a token
    cached = sum(prompt + group * time for time in range(1, length))
    weights = text_weights(config) + text.vocab_size * text.hidden_size
    return float(number_bytes * ((length - 1) * weights + questions * cached * kept))


def text_weights(config: QwenConfig) -> int:
    """Weights of the language model's layers that every token is multiplied with."""
    text = text_of(config)
    attention = 2 * text.hidden_size * (attention_width(config) + key_value_width(config))
    mlp = 3 * text.hidden_size * text.intermediate_size
    return int(text.num_hidden_layers * (attention + mlp))


def text_forward(config: QwenConfig, prompt: int, group: int, length: int) -> float:
    """Operations of the language model and its head over a prompt and its group."""
    text = text_of(config)
    tokens = prompt + group * (length - 1)  # nothing is read from a response's last token
    seen = prompt * (prompt + 1) / 2  # pairs of a query and a key that it sees
    seen += group * sum(prompt + time for time in range(1, length))
    head = text.vocab_size * text.hidden_size * group * length
    attention = 2 * seen * attention_width(config) * text.num_hidden_layers
    return 2.0 * (text_weights(config) * tokens + head + attention)


def vision_weights(config: QwenConfig) -> tuple[int, int]:
    """Weights of the vision tower that a patch is multiplied with, and of its mergers."""
    vision = vision_of(config)
    hidden, wide = vision.hidden_size, vision.hidden_size * vision.spatial_merge_size**2
    pixels = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    products = 3 if is_gated(config) else 2
    blocks = vision.depth * (4 * hidden**2 + products * hidden * vision.intermediate_size)
    merger = wide * (wide + vision.out_hidden_size)
    return int(pixels * hidden + blocks), int(count_mergers(config) * merger)


def vision_forward(config: QwenConfig, patches: int) -> float:
    """Operations of the vision tower over one square image."""
    vision, (tower, merger) = vision_of(config), vision_weights(config)
    seen = vision.depth * patches**2
    if size := getattr(vision, "window_size", 0):  # elsewhere each block sees the whole image
        window = min((size // vision.patch_size) ** 2, patches)
        whole = len(vision.fullatt_block_indexes)
        seen = patches * (whole * patches + (vision.depth - whole) * window)
    merged = patches / vision.spatial_merge_size**2
    return 2.0 * (tower * patches + merger * merged + 2 * seen * vision.hidden_size)
