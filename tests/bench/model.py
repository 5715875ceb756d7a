"""The model and the question that both sides of the bench train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from setting import Setting
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.micro.policy_config import join_config
from samr1.micro.tokenizer import build_tokenizer
from samr1.policy.model import assemble_policy, save_policy

QUERY = "the red circle left of the star"
DIALECT = "sam_r1"
PATCH, MERGE = 14, 2
_WINDOW = 112  # pixels a side of the vision tower's windows, as in the public models
_HEAD = 64
_VISION_HEAD = 32


def model_config(setting: Setting) -> Qwen2_5_VLConfig:
    """Qwen2.5-VL at the sizes of `setting`, with the micro tokenizer's vocabulary."""
    heads = max(setting.hidden // _HEAD, 1)
    text = {
        "hidden_size": setting.hidden,
        "intermediate_size": 3 * setting.hidden,
        "num_hidden_layers": setting.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": max(heads // 2, 1),
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": _sections(setting.hidden // heads),
        },
    }
    vision = {
        "depth": setting.vision_layers,
        "hidden_size": setting.vision_hidden,
        "intermediate_size": 3 * setting.vision_hidden,
        "num_heads": max(setting.vision_hidden // _VISION_HEAD, 1),
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "window_size": _WINDOW,
        "out_hidden_size": setting.hidden,
        "fullatt_block_indexes": [setting.vision_layers - 1],
    }
    return join_config(build_tokenizer(), text, vision, tied=False)


def _sections(head: int) -> list[int]:
    """Time, height and width share half of a head, as 16, 24 and 24 of 64 in the public models."""
    time = head // 8
    return [time, (head // 2 - time) // 2, head // 2 - time - (head // 2 - time) // 2]


def save_model(setting: Setting, folder: Path) -> None:
    """Write the model with random weights, its tokenizer and image processor to `folder`."""
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(model_config(setting))
    pixels = setting.image_size**2
    processor = Qwen2VLImageProcessorPil(
        patch_size=PATCH, merge_size=MERGE, min_pixels=pixels, max_pixels=pixels
    )
    save_policy(assemble_policy(model, build_tokenizer(), processor), folder)


def noise_image(index: int, side: int) -> Image.Image:
    """The bench's image number `index`: RGB noise of side×side pixels."""
    draw = np.random.default_rng(index)
    return Image.fromarray(draw.integers(0, 256, (side, side, 3), dtype=np.uint8))


def trivial_reward(response: Sequence[int]) -> float:
    """A reward that costs nothing and differs between responses."""
    return float(sum(response) % 97)
