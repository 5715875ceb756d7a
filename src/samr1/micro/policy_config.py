"""The tiny policy: Qwen2.5-VL's own classes at a width that two CPU cores can train.

84×84 pixels, patch 7, merge 2: 12×12 patches, 36 visual tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerBase,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

IMAGE_SIZE = 84
PATCH = 7
MERGE = 2


def build_image_processor() -> Qwen2VLImageProcessorPil:
    """The image processor of the tiny policy: normalises and cuts into patches, no rescaling."""
    pixels = IMAGE_SIZE * IMAGE_SIZE
    return Qwen2VLImageProcessorPil(
        patch_size=PATCH, merge_size=MERGE, min_pixels=pixels, max_pixels=pixels
    )


def policy_config(tokenizer: PreTrainedTokenizerBase) -> Qwen2_5_VLConfig:
    """The configuration, with the token ids of `tokenizer`."""
    text = {
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-6,
        # Sums to half the head size: time, height, width.
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [4, 6, 6],
        },
    }
    vision = {
        "depth": 4,
        "hidden_size": 96,
        "intermediate_size": 256,
        "num_heads": 4,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "window_size": IMAGE_SIZE,
        "out_hidden_size": 128,
        "fullatt_block_indexes": [0, 1, 2, 3],
    }
    return join_config(tokenizer, text, vision, tied=True)


def join_config(
    tokenizer: PreTrainedTokenizerBase, text: dict[str, Any], vision: dict[str, Any], *, tied: bool
) -> Qwen2_5_VLConfig:
    """A configuration of the given sizes with the vocabulary and token ids of `tokenizer`.

    `tied` is whether the output layer is the embedding.
    """
    ids = tokenizer.get_vocab()
    of_tokenizer = {
        "vocab_size": -(-len(tokenizer) // 8) * 8,
        "bos_token_id": None,
        "eos_token_id": ids["<|im_end|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "tie_word_embeddings": tied,
    }
    return Qwen2_5_VLConfig(
        text_config=text | of_tokenizer,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=tied,
    )


def build_policy(
    tokenizer: PreTrainedTokenizerBase, seed: int
) -> Qwen2_5_VLForConditionalGeneration:
    """A policy with random weights drawn from `seed`."""
    torch.manual_seed(seed)
    return Qwen2_5_VLForConditionalGeneration(policy_config(tokenizer))
