"""A Qwen2-VL, the family of Visual-RFT's checkpoint: it is evaluated like a Qwen2.5-VL."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
import torch
from predict_world import stage
from tiny import tiny_policy

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
from samr1.policy.model import save_policy
from samr1.train.check import check_running

CHECKPOINT = "Zery/Qwen2-VL-7B_visual_rft_lisa_IoU_reward@" + "0" * 40


def test_it_passes_the_checks_before_a_run(tmp_path: Path) -> None:
    save_policy(tiny_policy(family="qwen2_vl"), tmp_path)
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
