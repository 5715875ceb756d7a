"""Models of random weights, made on the device itself: nothing is downloaded, read or copied.

A random policy says nothing, so the output layer is scaled until it is as sure of its next token as
a trained one: what bfloat16 loses depends on the logits' size, and a flat distribution hides it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase, Qwen2_5_VLConfig
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.config.names import PackedAttention
from samr1.data.resizing import to_square
from samr1.micro.policy_config import join_config
from samr1.micro.scenes import draw_scene, generator, render
from samr1.planning.parameters import find_policy_config, text_of, vision_of
from samr1.policy.families import QwenConfig
from samr1.policy.meta import build_on_meta
from samr1.policy.model import EncodedPrompt, Policy, assemble_policy, encode_question
from samr1.policy.processors import VISION_TOKENS, load_processors
from samr1.policy.prompt_settings import MICRO, resolve
from samr1.rollout.distribution import next_token_logprobs
from samr1.segmenter import Segmenter
from samr1.segmenter.build import build_sam2

ENTROPY = 0.75  # nats a token, as trained policies have 0.5 to 1
_CALIBRATED_ON = 64  # tokens
_FEW = 8  # tokens
_WORDS = ("the", "red", "circle")


def tokenizer() -> PreTrainedTokenizerBase:
    """The shipped one: its ids are among those of any vocabulary here."""
    return load_processors(resolve(MICRO, "policy"))[0]


def published_policy() -> Qwen2_5_VLConfig:
    """Qwen2.5-VL-7B as published; the ids of the special tokens are those of `tokenizer`."""
    name = "qwen2.5-vl-7b-instruct"
    config = find_policy_config(name)
    assert isinstance(config, Qwen2_5_VLConfig)
    ids = tokenizer().get_vocab()
    config.image_token_id = ids["<|image_pad|>"]
    config.video_token_id = ids["<|video_pad|>"]
    config.vision_start_token_id = ids["<|vision_start|>"]
    config.vision_end_token_id = ids["<|vision_end|>"]
    return config


def tiny_policy() -> Qwen2_5_VLConfig:
    """Some hundred thousand weights in the published shape: patch 14, merge 2, shared keys."""
    text = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": [2, 3, 3],
        },
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "window_size": 56,
        "out_hidden_size": 64,
        "fullatt_block_indexes": [1],
    }
    return join_config(tokenizer(), text, vision, tied=False)


def resized(
    config: Qwen2_5_VLConfig, layers: int, vocabulary: int | None = None
) -> Qwen2_5_VLConfig:
    """`config` with fewer layers of the same widths, as many fewer in the vision tower.

    With `vocabulary` it has so many tokens, rounded up.
    """
    cut = copy.deepcopy(config)
    text, vision = text_of(cut), vision_of(cut)
    vision.depth = max(round(vision.depth * layers / text.num_hidden_layers), 1)
    whole = [index for index in vision.fullatt_block_indexes if index < vision.depth]
    vision.fullatt_block_indexes = whole or [vision.depth - 1]
    text.num_hidden_layers, text.layer_types = layers, text.layer_types[:layers]
    if vocabulary is not None:
        text.vocab_size = -(-vocabulary // 8) * 8
    return cut


def random_policy(config: QwenConfig, device: torch.device, attention: PackedAttention) -> Policy:
    """A policy in bfloat16, the same weights every time on one kind of device."""
    model: Any = build_on_meta(config)
    for weight in model.parameters():
        weight.data = weight.data.to(torch.bfloat16)  # the rotary tables stay float32
    model.to_empty(device=device)
    torch.manual_seed(0)
    model.init_weights()
    vision = vision_of(config)
    processor = Qwen2VLImageProcessorPil(
        patch_size=vision.patch_size,
        merge_size=vision.spatial_merge_size,
        temporal_patch_size=vision.temporal_patch_size,
    )
    words = tokenizer()
    policy = assemble_policy(model.eval(), words, processor, attention)
    ids = words.get_vocab()
    # The rest of the vocabulary means no token here, and may be said all the same.
    policy = replace(policy, blocked_token_ids=tuple(sorted(ids[one] for one in VISION_TOKENS)))
    _sharpen(policy)
    return policy


def of_few_tokens(policy: Policy) -> Policy:
    """`policy`, which is sharpened anew, saying only a few tokens.

    To be sure of one of all tokens, random logits must scatter by ten and more, and bfloat16 loses
    a share of that: in 28 layers enough to miss a bar that no fault has touched. Of a few tokens a
    scatter of three is enough.
    """
    ids = _allowed(policy)
    said = set(ids[:: -(-len(ids) // _FEW)])
    size = policy.model.lm_head.out_features
    policy = replace(policy, blocked_token_ids=tuple(i for i in range(size) if i not in said))
    _sharpen(policy)
    return policy


def _allowed(policy: Policy) -> list[int]:
    blocked = set(policy.blocked_token_ids)
    return [i for i in range(policy.model.lm_head.out_features) if i not in blocked]


@torch.no_grad()
def _sharpen(policy: Policy) -> None:
    """Scale the output layer until the mean entropy of the next token is `ENTROPY`."""
    model = policy.model
    allowed = torch.tensor(_allowed(policy), device=model.device)
    blocked = torch.tensor(policy.blocked_token_ids, device=model.device)
    ids = allowed[torch.randint(len(allowed), (1, _CALIBRATED_ON), device=model.device)]
    order = torch.arange(_CALIBRATED_ON, device=model.device)
    hidden = model.model.language_model(
        inputs_embeds=model.get_input_embeddings()(ids),
        position_ids=order.expand(3, 1, -1),
        use_cache=False,
    ).last_hidden_state[0]
    logits = hidden.float() @ model.lm_head.weight.float().T

    def entropy(scale: float) -> float:
        table = next_token_logprobs(scale * logits, blocked, temperature=1.0)
        return float(-(table.exp() * table).sum(dim=-1).mean())

    low, high = 0.0, 1e4
    for _ in range(40):
        scale = (low + high) / 2
        low, high = (scale, high) if entropy(scale) > ENTROPY else (low, scale)
    model.lm_head.weight.mul_(high)


def draw_questions(policy: Policy, image_size: int, words: Sequence[int]) -> list[EncodedPrompt]:
    """A question of so many `words` each, about drawn pictures."""
    questions = []
    for number, count in enumerate(words):
        picture = np.asarray(render(draw_scene(generator("check_gpu", number))))
        query = " ".join(_WORDS[index % len(_WORDS)] for index in range(count))
        questions.append(encode_question(policy, to_square(picture, image_size), query, "sam_r1"))
    return questions


def random_segmenter(config: Mapping[str, Any], device: torch.device) -> Segmenter:
    """A SAM 2 with the random weights of its own classes."""
    torch.manual_seed(0)
    return Segmenter(build_sam2(config, "the random segmenter"), device)
