"""Adapters in a policy: a model of `peft`'s as the twin, and whole trainings with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from engine_world import make_rollout, start_engine, take_step
from interrupting import Interruption, kept_steps, results_of, train
from plain_twins import plain_logprobs
from recording import apart, record, take_steps, train_on
from torch import Tensor
from training_world import make_stage

from samr1.config.lora import LoraConfig
from samr1.config.schema import TrainStage, parse_config
from samr1.core.errors import UserError
from samr1.core.files import read_table
from samr1.policy.adapter import adapter_off, add_adapter, merged_weights
from samr1.policy.model import Policy, load_policy, save_policy
from samr1.rollout.logprobs import response_logprobs
from samr1.train import loop
from samr1.train.batches import Sample
from samr1.train.checkpoint import Checkpoints, Progress
from samr1.train.engine import Engine, join_processes
from samr1.train.metrics import TRAINING_METRICS
from samr1.train.step import Rollout, roll_out, score_reference

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
LORA = {"rank": 4, "alpha": 8.0, "targets": ALL}
OF_TOWER = ("qkv", "linear_fc1", "linear_fc2")  # a Qwen3-VL's names there


def tower_targets(family: str) -> tuple[str, ...]:
    """The layers' names of the language model and the vision tower."""
    return (*ALL, *OF_TOWER) if family == "qwen3_vl" else ALL


def stage_of(world: Path, vision: bool = False, **train: Any) -> TrainStage:
    stage = make_stage(world, **{"lora": LORA} | train)
    return stage.model_copy(
        update={"policy": stage.policy.model_copy(update={"train_vision": vision})}
    )


def adapted(world: Path, vision: bool) -> Policy:
    """The world's policy with adapters that change what it says."""
    policy = load_policy(world / "policy")
    targets = tower_targets(policy.model.config.model_type) if vision else ALL
    lora = LoraConfig.model_validate(LORA | {"targets": targets})
    add_adapter(policy.model, lora, vision, seed=0)
    stir(policy)
    return policy


def stir(policy: Policy) -> None:
    """Let the adapters' products be other than 0."""
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0.0, 0.1, generator=draw)


def packed(policy: Policy, rollout: Rollout) -> Tensor:
    return response_logprobs(
        policy.model,
        rollout.questions,
        rollout.responses,
        temperature=1.0,
        blocked_token_ids=policy.blocked_token_ids,
    ).logprobs


def twin(world: Path, policy: Policy, vision: bool) -> tuple[Any, Policy]:
    """`peft`'s own model around the same weights and adapters, and its policy."""
    base = load_policy(world / "policy")
    scope = r"(language_model|visual\.blocks)" if vision else "language_model"
    names = "|".join(tower_targets(base.model.config.model_type))
    model = peft.get_peft_model(
        base.model,
        peft.LoraConfig(r=4, lora_alpha=8, target_modules=rf".*{scope}.*\.({names})"),
    )
    ours = policy.model.state_dict()
    missing, unexpected = model.base_model.model.load_state_dict(ours, strict=True)
    assert not missing and not unexpected
    return model, base


@pytest.mark.parametrize("vision", [False, True])
def test_packed_logprobs_and_gradients_are_those_of_a_plain_peft_model(
    any_world: Path, vision: bool
) -> None:
    policy = adapted(any_world, vision)
    rollout = make_rollout(policy)
    _, theirs = twin(any_world, policy, vision)
    ours = packed(policy, rollout)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    (ours * weights).sum().backward()
    for q, question in enumerate(rollout.questions):
        for g, response in enumerate(rollout.responses[q]):
            plain = plain_logprobs(theirs, question, response, 1.0)
            (plain * weights[q, g, : len(response)]).sum().backward()
            assert torch.allclose(ours[q, g, : len(response)], plain, rtol=1e-5, atol=1e-5)
    expected = dict(theirs.model.named_parameters())
    trained = {n for n, weight in policy.model.named_parameters() if weight.grad is not None}
    assert trained == {n for n, weight in expected.items() if weight.requires_grad}
    assert all(".lora_" in name for name in trained)
    assert any(".visual." in name for name in trained) == vision
    for name in trained:
        found, plain = policy.model.get_parameter(name).grad, expected[name].grad
        assert found is not None and plain is not None
        assert float((found - plain).norm() / plain.norm()) < 1e-4, name


def test_switched_off_it_is_the_base_and_merged_it_is_the_adapted(
    any_world: Path, tmp_path: Path
) -> None:
    base, policy = load_policy(any_world / "policy"), adapted(any_world, vision=True)
    rollout = make_rollout(base)
    with torch.no_grad():
        on, plain = packed(policy, rollout), packed(base, rollout)
        with adapter_off(policy.model):
            assert torch.equal(packed(policy, rollout), plain)
        assert torch.equal(packed(policy, rollout), on)
        assert float((on - plain).abs().max()) > 0.1
        save_policy(policy, tmp_path / "merged")
        merged = load_policy(tmp_path / "merged")
        assert float((packed(merged, rollout) - on).abs().max()) < 1e-5
    assert sorted(merged.model.state_dict()) == sorted(base.model.state_dict())
    files = {path.name for path in (tmp_path / "merged").iterdir()}
    assert files == {path.name for path in (any_world / "policy").iterdir()}
    trainable = [name for name, w in policy.model.named_parameters() if w.requires_grad]
    assert trainable and all(".lora_" in name for name in trainable)


def test_merging_says_what_rounding_takes(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = load_policy(world / "policy", "bfloat16")
    add_adapter(policy.model, LoraConfig(**LORA), False, seed=0)
    capsys.readouterr()
    merged_weights(policy.model)
    assert capsys.readouterr().err == ""  # nothing was changed, and nothing is lost
    stir(policy)
    weights = merged_weights(policy.model)
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    assert capsys.readouterr().err == ""
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lora_B" in name:
                weight.mul_(1e-4)
    merged_weights(policy.model)
    said = capsys.readouterr().err
    assert said.startswith("merged: of what the adapters change, rounding to torch.bfloat16 keeps")


def test_what_is_drawn_depends_on_the_seed_alone(world: Path) -> None:
    def drawn(seed: int) -> Tensor:
        policy = load_policy(world / "policy")
        add_adapter(policy.model, LoraConfig(**LORA), False, seed)
        found = [w.flatten() for n, w in policy.model.named_parameters() if "lora_A" in n]
        return torch.cat(found)

    first = drawn(0)
    before = torch.get_rng_state()
    torch.rand(1)
    assert torch.equal(drawn(0), first)
    torch.set_rng_state(before)
    assert not torch.equal(drawn(1), first)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("zero_stage", "dtype", "train"),
    [
        (0, "float32", {}),
        (2, "bfloat16", {"gradient_checkpointing": True}),
        (3, "float32", {"gradient_checkpointing": True}),
        (3, "bfloat16", {"offload_optimizer": True}),
    ],
)
def test_only_adapters_change_and_the_reference_stays(
    world: Path, tmp_path: Path, zero_stage: int, dtype: str, train: dict[str, Any]
) -> None:
    join_processes()
    stage = stage_of(world, vision=True, zero_stage=zero_stage, **train)
    stage = stage.model_copy(update={"policy": stage.policy.model_copy(update={"dtype": dtype})})
    policy = load_policy(world / "policy", dtype)
    rollout = make_rollout(policy)
    plain = packed(policy, rollout).detach()
    engine = Engine(policy, stage)
    with engine.gathered_parameters():
        before = {name: w.detach().clone() for name, w in policy.model.named_parameters()}
    gradients = []
    for _ in range(2):
        scored = engine.score(rollout.questions, rollout.responses)
        reference = score_reference(policy, engine, rollout, stage)
        assert torch.equal(reference, plain)
        engine.backward(-scored.logprobs.sum())
        gradients.append(engine.step(1e-2))
    assert min(gradients) > 0
    with engine.gathered_parameters():
        after = dict(policy.model.named_parameters())
        changed = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
        save_policy(policy, tmp_path / "merged")
    assert changed == {name for name in before if ".lora_" in name}
    trained = engine.score(rollout.questions, rollout.responses).logprobs.detach()
    written = packed(load_policy(tmp_path / "merged", dtype), rollout).detach()
    moved = float((trained - plain).abs().mean())
    assert moved > 0.05
    assert float((trained - written).abs().mean()) < moved * (1e-4 if dtype == "float32" else 0.5)


@pytest.mark.parametrize("vision", [False, True])
def test_features_are_shared_only_where_the_tower_has_no_adapter(
    world: Path, tmp_path: Path, vision: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_processes()
    stage = stage_of(world, vision)
    policy = load_policy(world / "policy")
    questions = make_rollout(policy).questions
    engine = Engine(policy, stage)
    stir(policy)
    samples = [Sample(index, "", "", "", 56, 56, "", None, {}) for index in range(len(questions))]
    rollout = roll_out(policy, engine, samples, questions, 0, stage)
    assert (rollout.image_features is None) == vision
    reference = score_reference(policy, engine, rollout, stage)
    base = load_policy(world / "policy")
    assert torch.equal(reference, packed(base, rollout).detach())
    # The update means what was sampled, and counts the same features.
    scored = engine.score(rollout.questions, rollout.responses, rollout.image_features)
    sampled = torch.cat([row for group in rollout.groups for row in group.logprobs])
    assert float((scored.logprobs[scored.mask] - sampled).detach().abs().max()) < 1e-4
    assert float((scored.logprobs - reference).detach().abs().max()) > 0.1


def prefer_the_first() -> None:
    """Rewards of a random policy are all the same; these are not."""

    def advantages_of(scored: Sequence[object], stage: TrainStage) -> Tensor:
        return torch.linspace(1, -1, 3).repeat(len(scored), 1)

    loop.advantages_of = advantages_of


def test_a_training_is_reproducible_and_goes_on_after_a_kill(world: Path, tmp_path: Path) -> None:
    stage = stage_of(world, steps=3)
    assert train(world, tmp_path / "whole", stage, change=prefer_the_first) == [0]
    whole = results_of(tmp_path / "whole")
    killed = Interruption("after step", 2)  # two updates a step: in the second
    assert train(world, tmp_path / "killed", stage, killed, change=prefer_the_first) == [-9]
    assert kept_steps(tmp_path / "killed") == [1]
    assert train(world, tmp_path / "killed", stage, change=prefer_the_first) == [0]
    assert results_of(tmp_path / "killed") == whole
    rows = read_table(tmp_path / "whole" / "metrics.parquet", TRAINING_METRICS).to_pylist()
    assert rows[0]["rollout_logprob_gap"] < 1e-4
    assert rows[0]["kl"] < rows[-1]["kl"]
    start, now = (
        load_policy(folder / "policy").model.state_dict() for folder in (world, tmp_path / "whole")
    )
    moved = {name for name in start if not torch.equal(start[name], now[name])}
    assert moved == {
        name
        for name in start
        if name.split(".")[-2] in ALL and ".visual." not in name and name.endswith("weight")
    }


@pytest.mark.parametrize(
    ("change", "key", "now"),
    [
        ({"lora": LORA | {"alpha": 4.0}}, "train.lora.alpha", 4.0),
        ({"lora": None}, "train.lora", None),
        ({"zero_stage": 1, "offload_optimizer": True}, "train.offload_optimizer", True),
    ],
)
def test_a_checkpoint_of_other_adapters_or_another_optimizer_is_another_runs(
    world: Path, tmp_path: Path, change: dict[str, Any], key: str, now: object
) -> None:
    was, other = stage_of(world, zero_stage=1), stage_of(world, **{"zero_stage": 1} | change)
    engine, _, _ = start_engine(world, was)
    Checkpoints(tmp_path, engine, was, {}).save(Progress(1, [], []))
    told = (
        rf"was made with {key} = .*, and the configuration says {json.dumps(now)}; change it back"
    )
    with pytest.raises(UserError, match=told):
        Checkpoints(tmp_path, engine, other, {}).load()


def test_processes_train_adapters_as_one(any_world: Path) -> None:
    family = load_policy(any_world / "policy").model.config.model_type
    steps, lora = record(2, family), LORA | {"targets": tower_targets(family)}
    plain = take_steps(any_world, steps, 0, lora=lora)
    assert float(plain[1][:, 2].min()) > 0
    for zero_stage, offload in ((2, True), (3, False)):
        parts = train_on(any_world, steps, zero_stage, 2, lora=lora, offload_optimizer=offload)
        differences = apart(parts, plain)
        assert max(differences) < 1e-5, (zero_stage, differences)


@pytest.mark.parametrize("zero_stage", [1, 2, 3])
def test_an_offloaded_engine_goes_on_from_its_tensors(world: Path, zero_stage: int) -> None:
    stage = stage_of(world, zero_stage=zero_stage, offload_optimizer=True)
    stage = stage.model_copy(
        update={"policy": stage.policy.model_copy(update={"dtype": "bfloat16"})}
    )
    first, _, rollout = start_engine(world, stage)
    take_step(first, rollout)
    kept = {name: tensor.clone() for name, tensor in first.tensors().items()}
    take_step(first, rollout)
    again, _, _ = start_engine(world, stage)
    again.load_tensors(kept)
    take_step(again, rollout)
    for name, tensor in again.tensors().items():
        assert torch.equal(tensor, first.tensors()[name]), name
        assert tensor.device.type == "cpu"


@pytest.mark.parametrize(
    ("vision", "train", "sentence"),
    [
        (False, {"lora": LORA | {"rank": 0}}, "train.lora.rank = 0: must be greater"),
        (False, {"lora": LORA | {"dropout": 0.1}}, "train.lora.dropout: unknown key"),
        (False, {"lora": LORA | {"targets": ["q"]}}, 'train.lora.targets.0 = "q": must be'),
        (False, {"lora": LORA | {"targets": ["q_proj"] * 2}}, "must name q_proj once"),
        (False, {"lora": LORA | {"targets": ["q_proj", "qkv"]}}, "must not name qkv, a layer of"),
        (True, {"lora": LORA | {"targets": ["q_proj"]}}, "policy.train_vision = true: must be fal"),
        (True, {"lora": LORA | {"targets": ["qkv"]}}, "must name a layer of the language model"),
        (False, {"offload_optimizer": True}, "train.offload_optimizer = true: must be false with"),
    ],
)
def test_what_cannot_mean_anything_is_refused(
    tmp_path: Path, vision: bool, train: dict[str, Any], sentence: str
) -> None:
    values = make_stage(tmp_path).model_dump()
    values["policy"]["train_vision"] = vision
    values["train"] |= train
    with pytest.raises(UserError) as refused:
        parse_config(values, TrainStage, "run")
    assert sentence in str(refused.value)
    values["train"] |= {"lora": LORA, "offload_optimizer": True, "zero_stage": 1}
    parse_config(values, TrainStage, "run")
