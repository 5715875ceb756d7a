"""The sizes of the models without their weights: no hub, no GPU.

A policy's come from its configuration alone. `known/` holds what decides the sizes of the public
checkpoints. Of Qwen2.5-VL: the values of their config.json for 3B and 7B; for 32B those that give
its published 33,452,718,336 weights; for 72B those of Table 1 of the technical report (arXiv
2502.13923), with the 7B's padded vocabulary. For Qwen2-VL-7B those that give its published
8,291,375,616. Of Qwen3-VL: the values of their config.json for 4B and 8B, and those that give the
published 2,127,532,032 weights of 2B and 33,357,390,064 of 32B. A segmenter's were counted of the
models that the sam2 package builds from its own yaml files; a SAM 2 cannot be built on torch's meta
device.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import Qwen2_5_VLConfig, Qwen2VLConfig

from samr1.config.lora import LoraConfig
from samr1.core.errors import UserError
from samr1.policy.adapter import adapted_layers
from samr1.policy.families import FAMILIES, QwenConfig, family_of, head_size
from samr1.policy.meta import build_on_meta, read_policy_config

KNOWN = Path(__file__).parent / "known"
# Public checkpoints that were trained from one of these: their sizes are its own.
_TRAINED_FROM = {
    "seg-zero-7b": "qwen2.5-vl-7b-instruct",
    "visionreasoner-7b": "qwen2.5-vl-7b-instruct",
    "qwen2.5vl-3b-vlm-r1-rec-500steps": "qwen2.5-vl-3b-instruct",
    "qwen2-vl-7b_visual_rft_lisa_iou_reward": "qwen2-vl-7b-instruct",
}
# A SAM 2's size on the hub -> numbers of its weights, channels of the first stage.
_SEGMENTERS = {
    "tiny": (38_945_986, 96),
    "small": (46_043_842, 96),
    "base-plus": (80_833_666, 112),
    "large": (224_430_130, 144),
}
_MORE = 16_512  # numbers that SAM 2.1 has more


@dataclass(frozen=True)
class ParameterCounts:
    """How many numbers a policy's weights are, by part."""

    vision: int  # tower and merger
    layers: int  # of the language model, its last norm included
    embedding: int
    head: int  # 0 where it is the embedding

    @property
    def all(self) -> int:
        return self.vision + self.layers + self.embedding + self.head


def find_policy_config(path: str) -> QwenConfig:
    """The configuration of a local folder or, by its name on the hub, of a public checkpoint.

    Only a name that `known/` lacks is asked of the hub. Raises UserError where there is none.
    """
    name = path.partition("@")[0].rpartition("/")[2].lower()
    file = KNOWN / f"{_TRAINED_FROM.get(name, name)}.json"
    if file.is_file() and not Path(path).is_dir():
        values = json.loads(file.read_text(encoding="utf-8"))
        return FAMILIES[values["model_type"]].config.from_dict(values)
    try:
        return read_policy_config(path)
    except UserError as error:
        known = ", ".join(sorted(one.stem for one in KNOWN.glob("*.json")))
        reason = str(error).removesuffix(".")
        raise UserError(
            f"{path}: its config.json cannot be read ({reason}); name a folder that has one, or "
            f"one of {known}."
        ) from error


def check_trainable(config: QwenConfig, path: str) -> QwenConfig:
    """`config`, of the policy at `path`; raises UserError unless its family is trained here."""
    if not family_of(config).trained:
        trained = " or ".join(name for name, one in FAMILIES.items() if one.trained)
        raise UserError(f"{path}: is a {config.model_type}; only a {trained} can be trained.")
    return config


def read_as_trainable(config: QwenConfig) -> QwenConfig:
    """`config`, or for a Qwen2-VL the Qwen2.5-VL that takes about as long to answer.

    That has its language model, and the vision tower of all Qwen2.5-VL, of about its size.
    """
    if not isinstance(config, Qwen2VLConfig):
        return config
    text = text_of(config).to_dict() | {"model_type": "qwen2_5_vl_text"}
    vision = vision_of(find_policy_config("qwen2.5-vl-7b-instruct")).to_dict()
    whole = list(range(vision["depth"]))  # each of its layers sees the whole image
    vision |= {"out_hidden_size": text["hidden_size"], "fullatt_block_indexes": whole}
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        tie_word_embeddings=config.tie_word_embeddings,
    )


# Of any type, because the library says that each of their sizes may be of several.
def text_of(config: QwenConfig) -> Any:
    """The language model's part of a configuration."""
    return config.text_config


def vision_of(config: QwenConfig) -> Any:
    """The vision tower's part of a configuration."""
    return config.vision_config


def count_parts(config: QwenConfig) -> ParameterCounts:
    """The numbers of each part, counted of the model itself, without its data."""
    model: Any = build_on_meta(config)
    embedding = _count(model.model.language_model.embed_tokens)
    return ParameterCounts(
        vision=_count(model.model.visual),
        layers=_count(model.model.language_model) - embedding,
        embedding=embedding,
        head=0 if config.tie_word_embeddings else _count(model.lm_head),
    )


def _count(part: nn.Module) -> int:
    return sum(weight.numel() for weight in part.parameters())


def count_adapter(config: QwenConfig, lora: LoraConfig, vision: bool) -> int:
    """The numbers of the adapters of `lora`, those of the vision tower where `vision`.

    A layer of [in, out] gets in·r + r·out.
    """
    model: Any = build_on_meta(config)
    layers = (model.get_submodule(name) for name in adapted_layers(model, lora, vision))
    return lora.rank * sum(layer.in_features + layer.out_features for layer in layers)


def attention_width(config: QwenConfig) -> int:
    """The numbers of one token's queries in one layer of the language model."""
    text = text_of(config)
    return int(text.num_attention_heads * head_size(text))


def key_value_width(config: QwenConfig) -> int:
    """The numbers of one token's keys (or values) in one layer of the language model."""
    text = text_of(config)
    return int(text.num_key_value_heads * head_size(text))


def count_mergers(config: QwenConfig) -> int:
    """The mergers behind the vision tower and, in a Qwen3-VL, within it."""
    return 1 + len(getattr(vision_of(config), "deepstack_visual_indexes", ()))


def is_gated(config: QwenConfig) -> bool:
    """Whether a block of the vision tower multiplies two products, as a Qwen2.5-VL's does."""
    return isinstance(config, Qwen2_5_VLConfig)


def count_patches(config: QwenConfig, image_size: int) -> int:
    """The patches of one square image before merging."""
    return int((image_size // vision_of(config).patch_size) ** 2)


def count_image_tokens(config: QwenConfig, image_size: int) -> int:
    """The tokens of one square image in the prompt."""
    return count_patches(config, image_size) // int(vision_of(config).spatial_merge_size ** 2)


@dataclass(frozen=True)
class SegmenterSize:
    """The bytes of a segmenter's weights, which are float32, and its encoder's first channels."""

    weights: int
    channels: int


def find_segmenter_size(path: str) -> SegmenterSize:
    """The size of a local segmenter (folder or file) or of a public checkpoint, by its hub name.

    A name that is not known counts as the largest public one's, and so do a folder's channels.
    """
    place = Path(path)
    family, _, size = path.partition("@")[0].rpartition("/")[2].lower().partition("-hiera-")
    numbers, channels = _SEGMENTERS.get(size, _SEGMENTERS["large"])
    weights = 4 * (numbers if family == "sam2" and size in _SEGMENTERS else numbers + _MORE)
    if place.exists():
        files = [place] if place.is_file() else place.iterdir()
        kept = (file for file in files if file.suffix in {".safetensors", ".pt"})
        weights = sum(file.stat().st_size for file in kept)
    return SegmenterSize(weights, channels)
