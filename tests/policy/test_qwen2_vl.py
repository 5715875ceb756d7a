"""A Qwen2-VL, the family of Visual-RFT's checkpoint: it is evaluated like a Qwen2.5-VL."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
import torch
from plain_twins import generate_greedily
from predict_world import stage
from tiny import random_image, tiny_policy
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from samr1.config.schema import PolicyConfig
from samr1.core.checks import run_steps
from samr1.core.errors import UserError
from samr1.planning.parameters import check_trainable, find_policy_config, read_as_trainable
from samr1.policy.check import check_policy
from samr1.policy.meta import (
    build_on_meta,
    count_weights,
    name_as_model,
    needed_shapes,
    read_policy_config,
)
from samr1.policy.model import Policy, assemble_policy, encode_question, load_policy, save_policy
from samr1.rollout.sample import sample_groups
from samr1.train.check import check_running

CHECKPOINT = "Zery/Qwen2-VL-7B_visual_rft_lisa_IoU_reward@" + "0" * 40


def tiny_qwen2_vl() -> Policy:
    """Random weights, with the tokenizer and the patches of the tiny Qwen2.5-VL."""
    other = tiny_policy()
    config = Qwen2VLConfig(
        text_config=other.model.config.text_config.to_dict() | {"model_type": "qwen2_vl_text"},
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "mlp_ratio": 2,
            "num_heads": 2,
            "patch_size": 7,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        image_token_id=other.image_token_id,
        video_token_id=other.model.config.video_token_id,
        vision_start_token_id=other.model.config.vision_start_token_id,
        vision_end_token_id=other.model.config.vision_end_token_id,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    model = Qwen2VLForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.15)
    return assemble_policy(model, other.tokenizer, other.image_processor)


def test_it_answers_as_the_library_lets_it_answer(tmp_path: Path) -> None:
    save_policy(tiny_qwen2_vl(), tmp_path)
    policy = load_policy(tmp_path)
    assert isinstance(policy.model, Qwen2VLForConditionalGeneration)
    questions = [
        encode_question(policy, random_image(seed), query, "visual_rft")
        for seed, query in enumerate(("cup", "the left ball"))
    ]
    groups = sample_groups(policy, questions, group_size=1, temperature=0.0, max_new_tokens=12)
    policy.model.set_attn_implementation("eager")
    for question, group in zip(questions, groups, strict=True):
        assert group.responses[0] == generate_greedily(policy, question, 12)


def test_it_passes_the_checks_before_a_run(tmp_path: Path) -> None:
    save_policy(tiny_qwen2_vl(), tmp_path)
    config = PolicyConfig(path=str(tmp_path), image_size=56, dtype="float32", train_vision=False)
    asked = stage().model_copy(update={"policy": config, "dialect": "visual_rft"})
    steps = chain(
        check_policy(config, "visual_rft"), check_running(asked, None, lambda: torch.device("cpu"))
    )
    checks = run_steps(steps)
    assert [one.name for one in checks if one.passed][-1] == "policy: decoding", checks[-1]
    # In the published checkpoint's own names, as the library renames them.
    model = build_on_meta(find_policy_config(CHECKPOINT))
    published = {
        "visual.patch_embed.proj.weight": (1280, 3, 2, 14, 14),
        "model.layers.0.self_attn.q_proj.bias": (3584,),
        "lm_head.weight": (152064, 3584),
    }
    needed = needed_shapes(model)
    for name, shape in name_as_model(model, published).items():
        assert needed[name] == shape


def test_it_is_planned_and_not_trained(tmp_path: Path) -> None:
    config = find_policy_config(CHECKPOINT)
    assert count_weights(config) == 8_291_375_616  # as published
    assert abs(count_weights(read_as_trainable(config)) / 8_291_375_616 - 1) < 0.05
    with pytest.raises(UserError, match="is a qwen2_vl; only a qwen2_5_vl or qwen3_vl"):
        check_trainable(config, CHECKPOINT)
    save_policy(tiny_policy(), tmp_path)
    newer = read_policy_config(tmp_path)
    assert check_trainable(newer, str(tmp_path)) is newer
    assert read_as_trainable(newer) is newer
