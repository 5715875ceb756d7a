"""A random policy of two layers, small enough to build and run in a test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.policy.attention import attention_name
from samr1.policy.families import FAMILIES
from samr1.policy.model import Policy, assemble_policy

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TRAINED = [name for name, one in FAMILIES.items() if one.trained]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and the special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        additional_special_tokens=list(SPECIAL),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
    )


def tiny_policy(
    seed: int = 0,
    hidden: int = 32,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    family: str = "qwen2_5_vl",
    tied: bool = False,
) -> Policy:
    """A random model of a family, patch 7 and merge 2, with wide weights so that choices differ."""
    tokenizer = tiny_tokenizer()
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    newer = family == "qwen3_vl"
    head = hidden // heads * (2 if newer else 1)  # a Qwen3-VL's heads may be wider than its states
    small = head // 8
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 2048,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10000.0,
            "mrope_section": [head // 2 - 2 * small, small, small],
        },
        "pad_token_id": ids["<|endoftext|>"],
        "bos_token_id": None,
        "eos_token_id": ids["<|im_end|>"],
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "patch_size": 7,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": hidden,
    }
    if newer:
        text["head_dim"] = head
        seen = [0, 1][:layers]  # more than the language model's layers would be of no use
        vision |= {"depth": 3, "num_position_embeddings": 16, "deepstack_visual_indexes": seen}
    elif family == "qwen2_vl":
        vision |= {"embed_dim": 32, "hidden_size": hidden, "mlp_ratio": 2}
    else:
        vision |= {"window_size": 28, "fullatt_block_indexes": [1]}
    config = FAMILIES[family].config(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=tied,
    )
    torch.manual_seed(seed)
    model = FAMILIES[family].model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.15)
    processor = Qwen2VLImageProcessorPil(patch_size=7, merge_size=2, temporal_patch_size=2)
    return assemble_policy(model, tokenizer, processor)


def random_image(seed: int, side: int = 56) -> Image.Image:
    """RGB noise of side×side pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def use_flex(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let policies that are made from now on attend packed rows on the CPU as CUDA does."""
    # Only this check keeps FlexAttention's backward pass from the CPU: the uncompiled one is there.
    monkeypatch.setattr("torch.nn.attention.flex_attention._validate_device", lambda *_: None)
    of_cuda = attention_name("flex", torch.device("cuda"))
    monkeypatch.setattr("samr1.policy.model.attention_name", lambda *_: of_cuda)
    # Each shape compiles a small wrapper, of which there may be few.
    torch.compiler.reset()
