"""A Qwen3-VL: asked, checked and trained like a Qwen2.5-VL, in its own frame and patches."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest
import torch
from predict_world import stage
from tiny import random_image, tiny_policy
from training_world import make_stage

from samr1.app.model import find_settings
from samr1.config.lora import LoraConfig
from samr1.config.merge import load_experiment
from samr1.config.schema import PolicyConfig
from samr1.core.checks import run_steps
from samr1.core.errors import UserError
from samr1.planning.parameters import find_policy_config
from samr1.policy.adapter import adapted_layers
from samr1.policy.check import check_policy
from samr1.policy.dialects import get_dialect
from samr1.policy.families import family_of
from samr1.policy.meta import build_on_meta, read_policy_config
from samr1.policy.model import Policy, encode_question, load_policy, save_policy
from samr1.policy.processors import load_processors
from samr1.policy.prompt_settings import DEFAULT_SETTINGS
from samr1.train.check import check_running

FIXTURES = Path(__file__).parents[1] / "fixtures"
# The published preprocessor_config.json, as far as it decides anything.
IMAGES = {
    "size": {"longest_edge": 16777216, "shortest_edge": 65536},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "Qwen3VLProcessor",
    "image_processor_type": "Qwen2VLImageProcessorFast",
}


@pytest.mark.parametrize("vision", [False, True])
def test_it_passes_the_checks_before_a_run_that_trains_it(vision: bool, tmp_path: Path) -> None:
    save_policy(tiny_policy(family="qwen3_vl"), tmp_path)
    config = PolicyConfig(path=str(tmp_path), image_size=56, dtype="float32", train_vision=vision)
    change = {"policy": config, "dialect": "sam_r1_1000"}
    training = make_stage(tmp_path, gradient_checkpointing=True).model_copy(update=change)
    steps = chain(
        check_policy(config, "sam_r1_1000"),
        check_running(stage().model_copy(update=change), training, lambda: torch.device("cpu")),
    )
    checks = run_steps(steps)
    assert [one.name for one in checks if one.passed][-1] == "policy: training pass", checks[-1]
    found = {one.name: one.found for one in checks}
    assert found["policy: configuration"].endswith(
        "its family gives coordinates on 0 to 1000, and sam_r1_1000 asks for them on 0 to 1000"
    )


def test_its_patches_take_other_sizes_than_a_qwen2_5_vls(tmp_path: Path) -> None:
    save_policy(tiny_policy(family="qwen3_vl"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["vision_config"]["patch_size"] = 16
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"sizes \(7, 2, 2\), and its config.json \(16, 2, 2\)"):
        load_processors(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(IMAGES))
    tokenizer, processor = load_processors(tmp_path)
    policy = Policy(
        model=build_on_meta(read_policy_config(tmp_path)),
        tokenizer=tokenizer,
        image_processor=processor,
        stop_token_id=0,
        blocked_token_ids=(),
    )
    with pytest.raises(UserError, match=r"840×840 pixels does not fit .* a multiple of 32"):
        encode_question(policy, random_image(0, 840), "a ball", "qwen3")
    question = encode_question(policy, random_image(0, 96), "a ball", "qwen3")
    assert question.grid_thw.tolist() == [[1, 6, 6]]
    assert question.pixel_values.shape == (36, 3 * 2 * 16**2)
    assert float(question.pixel_values.min()) == -1 and float(question.pixel_values.max()) == 1
    # Time stands still over a picture; its 3×3 merged patches take three positions.
    assert question.response_start == len(question.input_ids) - 9 + 3


@pytest.mark.parametrize(
    ("part", "key", "value", "sentence"),
    [
        ("vision_config", "deepstack_visual_indexes", [5000], "must be less than 1024"),
        ("vision_config", "deepstack_visual_indexes", [0] * 65, "at most 64"),
        ("vision_config", "num_position_embeddings", 0, "must be greater than or equal to 1"),
        ("vision_config", "out_hidden_size", 48, "the weights do not fit config.json"),
        ("text_config", "head_dim", 8, "the weights do not fit config.json"),
        ("text_config", "head_dim", "16", "head_dim"),
        ("text_config", "attention_bias", True, "the weights do not fit config.json"),
    ],
)
def test_a_strangers_settings_are_refused(
    part: str, key: str, value: object, sentence: str, tmp_path: Path
) -> None:
    save_policy(tiny_policy(family="qwen3_vl"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert key in config[part]
    config[part][key] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=sentence):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("targets", "vision", "count"),
    [
        (("q_proj", "down_proj"), False, 2 * 36),
        (("q_proj", "linear_fc1", "qkv"), True, 36 + 2 * 24),
    ],
)
def test_adapters_are_put_where_its_layers_are(
    targets: tuple[str, ...], vision: bool, count: int, tmp_path: Path
) -> None:
    config = FIXTURES / "qwen3_vl_4b.config.json"
    (tmp_path / "config.json").write_bytes(config.read_bytes())
    model = build_on_meta(read_policy_config(tmp_path))
    lora = LoraConfig.model_validate({"rank": 8, "alpha": 16, "targets": targets})
    assert len(adapted_layers(model, lora, vision)) == count


@pytest.mark.parametrize(
    ("family", "targets", "sentence"),
    [
        ("qwen2_5_vl", ("q_proj", "qkv", "linear_fc1"), "a qwen2_5_vl has no layer linear_fc1"),
        ("qwen3_vl", ("q_proj", "up_proj"), "no layer of a qwen3_vl's vision tower has one of"),
    ],
)
def test_targets_that_its_family_has_not_are_refused(
    family: str, targets: tuple[str, ...], sentence: str
) -> None:
    lora = LoraConfig.model_validate({"rank": 8, "alpha": 16, "targets": targets})
    with pytest.raises(UserError, match=sentence):
        adapted_layers(tiny_policy(family=family).model, lora, vision=True)


def test_untaught_it_is_asked_in_its_own_frame_and_at_a_size_that_fits(tmp_path: Path) -> None:
    save_policy(tiny_policy(family="qwen3_vl"), tmp_path)
    settings = find_settings(tmp_path)
    assert (settings.dialect, settings.image_size) == ("sam_r1_1000", 832)
    assert find_settings(tmp_path, "qwen3", 56).dialect == "qwen3"
    save_policy(tiny_policy(), tmp_path)
    assert find_settings(tmp_path) == DEFAULT_SETTINGS


def test_trained_runs_are_asked_as_their_family_counts() -> None:
    runs = load_experiment(FIXTURES.parents[1] / "config", "paper").runs
    for run in runs.values():
        family = family_of(find_policy_config(run.policy.path))
        unit = 32 if "Qwen3-VL" in run.policy.path else 28
        assert run.policy.image_size % unit == 0
        if run.trained:
            relative = get_dialect(run.dialect).relative
            assert relative == get_dialect(family.dialect).relative
            assert run.policy.image_size == family.image_size
