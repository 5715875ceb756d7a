"""The sizes of a plan against the models', its formulas against the bytes torch allocates."""

from __future__ import annotations

from dataclasses import replace
from functools import partialmethod
from operator import sub
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from live_storages import LiveStorages
from sam2 import build_sam
from tiny import TRAINED, random_image, tiny_policy
from torch.overrides import TorchFunctionMode
from training_world import make_stage

from samr1.config.lora import Layer, LoraConfig
from samr1.config.schema import PredictConfig, TrainStage
from samr1.core.errors import UserError
from samr1.planning.activations import computed_again, kept_activations
from samr1.planning.fit import change_stage
from samr1.planning.job import Job, total
from samr1.planning.memory import plan_evaluation, plan_memory
from samr1.planning.parameters import (
    SegmenterSize,
    count_adapter,
    count_parts,
    find_policy_config,
    find_segmenter_size,
)
from samr1.policy.adapter import adapted_layers
from samr1.policy.families import family_of
from samr1.policy.model import encode_question
from samr1.rollout.decode import Sampling
from samr1.rollout.rows import Rows
from samr1.segmenter.build import build_sam2
from samr1.train.engine import Engine, join_processes
from samr1.train.scorer import Scorer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("Qwen2.5-VL-3B", 3_754_622_976),
        ("Qwen2.5-VL-7B", 8_292_166_656),
        ("Qwen2.5-VL-32B", 33_452_718_336),
        ("Qwen2.5-VL-72B", 73_410_777_344),
        ("Qwen3-VL-2B", 2_127_532_032),
        ("Qwen3-VL-4B", 4_437_815_808),
        ("Qwen3-VL-8B", 8_767_123_696),
        ("Qwen3-VL-32B", 33_357_390_064),
    ],
)
def test_the_known_checkpoints_have_their_published_sizes(name: str, numbers: int) -> None:
    path = f"Qwen/{name}-Instruct@{'0' * 40}"
    assert count_parts(find_policy_config(path)).all == numbers


def test_parts_and_adapters_are_counted_as_the_models_have_them() -> None:
    older = {*get_args(Layer)} - {"linear_fc1", "linear_fc2"}
    for name, visual, layers in (
        ("Qwen2.5-VL-3B", 668_684_288, older),
        ("Qwen2.5-VL-7B", 676_550_144, older),
        ("Qwen3-VL-4B", 415_347_712, {*get_args(Layer)}),
    ):
        config = find_policy_config(f"Qwen/{name}-Instruct")
        with torch.device("meta"):
            model = family_of(config).model(config)
        parts = count_parts(config)
        assert parts.all == sum(weight.numel() for weight in model.parameters())
        assert parts.vision == sum(w.numel() for w in model.model.visual.parameters()) == visual
        for targets, vision in (
            (tuple(sorted(layers)), True),
            (tuple(sorted(layers)), False),
            (("q_proj", "v_proj", "down_proj"), False),
            (("k_proj", "qkv", "up_proj"), True),
        ):
            lora = LoraConfig(rank=8, alpha=16, targets=targets)
            linear: list[Any] = [
                model.get_submodule(name) for name in adapted_layers(model, lora, vision)
            ]
            adapters = sum(8 * (layer.in_features + layer.out_features) for layer in linear)
            assert count_adapter(config, lora, vision) == adapters


def test_a_local_folder_wins_and_an_unreadable_one_is_named(tmp_path: Path) -> None:
    weights = ROOT / "src/samr1/micro/weights"
    micro = find_policy_config(str(weights / "policy"))
    assert count_parts(micro).all == 1_568_672
    size = find_segmenter_size(str(weights / "segmenter"))
    file = weights / "segmenter/model.safetensors"
    assert size.weights == file.stat().st_size
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json cannot be read .* qwen2.5-vl-7b-instruct"):
        find_policy_config(str(tmp_path))


def test_a_public_segmenter_is_as_large_as_sam2_builds_it() -> None:
    import yaml

    file = Path(build_sam.__file__).parent / "configs/sam2.1/sam2.1_hiera_t.yaml"
    model = build_sam2(yaml.safe_load(file.read_text().replace("1e-6", "1.0e-6"))["model"])
    known = find_segmenter_size("facebook/sam2.1-hiera-tiny")
    assert known.weights == 4 * sum(weight.numel() for weight in model.parameters())
    assert known.channels == 96


def job_of(policy: Any, stage: TrainStage, prompt: int = 100) -> Job:
    """A job of the tiny policy on a CPU."""
    # As it would be read from a file: the loaded one also says which attention it runs by.
    config = type(policy.model.config).from_dict(policy.model.config.to_dict())
    parts = count_parts(config)
    return Job(stage, config, parts, parts.all, SegmenterSize(0, 16), prompt, 1, cuda=False)


class PeakStorages(LiveStorages):
    """Notes the most that there was at once, since `peak` was last set to 0."""

    peak: int | None = None

    def __torch_dispatch__(self, *call: Any) -> Any:
        result = super().__torch_dispatch__(*call)
        if self.peak is not None:
            self.peak = max(self.peak, self.bytes)
        return result


@pytest.mark.parametrize(
    ("dtype", "zero_stage", "offload"),
    [
        ("float32", 0, False),
        ("float32", 2, False),
        ("float32", 3, False),
        *(("bfloat16", stage, False) for stage in range(4)),
        *(("bfloat16", stage, True) for stage in range(1, 4)),
        ("float32", 3, True),
    ],
)
def test_states_and_gradients_are_as_many_bytes_as_deepspeed_holds(
    dtype: str, zero_stage: int, offload: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_processes()
    if not offload:  # torch's choice on a GPU
        made = partialmethod(torch.optim.AdamW.__init__, foreach=True)
        monkeypatch.setattr(torch.optim.AdamW, "__init__", made)
    stage = make_stage(tmp_path, zero_stage=zero_stage, offload_optimizer=offload)
    stage = change_stage(stage, {"policy.dtype": dtype})
    with PeakStorages() as live:
        policy = tiny_policy(hidden=128, layers=3)
        policy.model.to(getattr(torch, dtype))
        engine = Engine(policy, stage)
        question = encode_question(policy, random_image(0), "a ball", "sam_r1")

        def add_gradients() -> None:
            scored = engine.score([question], [[[20, 21, 22, 23]] * 3])
            engine.backward(scored.logprobs.sum())

        add_gradients()
        engine.step(1e-3)
        memory = plan_memory(job_of(policy, stage))
        there = total(one for one in memory.states if one.what != "reference weights")
        assert live.bytes == pytest.approx(there, rel=0.03)
        states = there
        add_gradients()
        passing = {one.what: one.amount for one in memory.phases["forward and backward"]}
        there += passing.get("gradients", 0.0)
        there += passing["reduction bucket"] if zero_stage == 1 else 0.0  # stage 2's is gone by now
        assert live.bytes == pytest.approx(there, rel=0.03)
        if not offload:  # on a CPU that is the same memory
            live.peak = 0
            engine.step(1e-3)
            there = states + total(memory.phases["optimiser step"])
            assert live.peak == pytest.approx(there, rel=0.03)


def saved_bytes(policy: Any, checkpointing: bool, group: int = 4) -> tuple[int, int]:
    """Bytes that autograd saves for the backward pass, weights apart; and the prompt's tokens."""
    scorer = Scorer(policy, 1.0, checkpointing)
    question = encode_question(policy, random_image(0, 112), "a ball", "sam_r1")
    known = {weight.untyped_storage().data_ptr() for weight in policy.model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in known:
            saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        scorer([question], [[[20] * 24] * group], None)
    size = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    return size, len(question.input_ids)


@pytest.mark.parametrize("family", TRAINED)
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_are_within_a_fifth_of_what_autograd_saves(
    dtype: str, checkpointing: bool, family: str, tmp_path: Path
) -> None:
    policy = tiny_policy(hidden=128, layers=4, family=family)
    policy.model.to(getattr(torch, dtype))
    found, prompt = saved_bytes(policy, checkpointing)
    train = {"group_size": 4, "max_response_tokens": 24, "gradient_checkpointing": checkpointing}
    stage = make_stage(tmp_path, **train)
    stage = change_stage(stage, {"policy.dtype": dtype, "policy.image_size": 112})
    job = job_of(policy, stage, prompt)
    assert found == pytest.approx(total(kept_activations(job, job.row, 1)), rel=0.2)


class SeemsCuda(TorchFunctionMode):
    """Within it every tensor says that it is a GPU's."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func == torch.Tensor.is_cuda.__get__ or func(*args, **(kwargs or {}))


def test_two_calls_on_a_gpu_keep_keys_and_values_of_every_head(tmp_path: Path) -> None:
    policy = tiny_policy(hidden=128, layers=4, heads=8, kv_heads=2)
    with SeemsCuda():
        found, prompt = saved_bytes(policy, False, group=16)
    train = {"group_size": 16, "max_response_tokens": 24, "gradient_checkpointing": False}
    stage = change_stage(make_stage(tmp_path, **train), {"policy.image_size": 112})

    def job(attention: str, **settings: Any) -> Job:
        settings = {"policy.attention": attention} | settings
        return replace(job_of(policy, change_stage(stage, settings), prompt), cuda=True)

    two, flex = job("two_calls"), job("flex")
    assert found == pytest.approx(total(kept_activations(two, two.row, 1)), rel=0.2)
    assert total(kept_activations(flex, flex.row, 1)) < 0.7 * found

    # Of layers that are computed again one at a time has its own.
    again = (job(name, **{"train.gradient_checkpointing": True}) for name in ("two_calls", "flex"))
    more = sub(*(total(computed_again(one)) for one in again))
    assert more > 0.5 * found / 4


def test_keys_and_values_take_the_slots_that_a_rollout_makes(tmp_path: Path) -> None:
    policy = tiny_policy()
    job = job_of(policy, make_stage(tmp_path), prompt=101)
    rows = Rows(policy, job.responses, 101, Sampling(1.0, 1.0, job.train.max_response_tokens))
    held = sum(buffer.nbytes for buffer in (*rows.slots.keys, *rows.slots.values))
    (planned,) = [
        one for one in plan_memory(job).phases["rollout"] if one.what == "keys and values"
    ]
    assert planned.amount == held
    assert "112 tokens" in planned.sum  # 101 and 8, rounded up to what a CPU's window is
    asked = {"batch_size": job.responses, "max_response_tokens": job.train.max_response_tokens}
    assert planned in plan_evaluation(job, PredictConfig(**asked)).phases["evaluation"]
    on_gpu = plan_memory(replace(job, cuda=True)).phases["rollout"]
    assert any("256 tokens" in one.sum for one in on_gpu)
