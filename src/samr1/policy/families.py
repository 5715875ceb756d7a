"""The families of models that a policy may be of, and what is particular to each.

What they share stands where it is used: the tokens around an image, which are never said, and the
class of the image processor (`samr1.policy.processors`); positions in 3-D, of which each model has
its own `get_rope_index`; and a language model that takes embeddings and these positions. The later
family's also takes features of an image from within the tower, to be added after its first layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from samr1.config.names import DialectName

QwenConfig = Qwen2_5_VLConfig | Qwen2VLConfig | Qwen3VLConfig
QwenModel = (
    Qwen2_5_VLForConditionalGeneration
    | Qwen2VLForConditionalGeneration
    | Qwen3VLForConditionalGeneration
)


@dataclass(frozen=True)
class Family:
    """A family: its classes in `transformers`, and what its checkpoints were taught."""

    config: type[QwenConfig]
    model: type[QwenModel]
    dialect: DialectName
    """The one of ours that counts coordinates as its checkpoints were taught to."""
    image_size: int
    """The side in pixels nearest to the paper's that its patches fit."""
    trained: bool = True
    """Whether its vision tower is one that is trained here; if not, it is evaluated alone."""


FAMILIES: dict[str, Family] = {
    "qwen2_5_vl": Family(Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, "sam_r1", 840),
    "qwen2_vl": Family(
        Qwen2VLConfig, Qwen2VLForConditionalGeneration, "sam_r1_1000", 840, trained=False
    ),
    "qwen3_vl": Family(Qwen3VLConfig, Qwen3VLForConditionalGeneration, "sam_r1_1000", 832),
}
"""By the `model_type` in config.json."""


def family_of(config: QwenConfig) -> Family:
    """The family that `config` is of."""
    return FAMILIES[config.model_type]


def head_size(text: Any) -> int:
    """The numbers of one attention head, of the configuration of a language model."""
    return int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
