"""The plan: sizes against the models', formulas against the bytes that torch allocates."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import torch
from sam2 import build_sam
from tiny import random_image, tiny_policy
from torch import nn
from training_world import make_stage
from transformers import Qwen2_5_VLForConditionalGeneration

from samr1.cli import plan
from samr1.config import Layer, LoraConfig
from samr1.config_datasets import load_datasets
from samr1.config_merge import load_experiment
from samr1.errors import UserError, run_command
from samr1.policy.adapter import adapted_layers
from samr1.policy.model import encode_question
from samr1.policy.parts import count_adapter, count_parts, find_policy_config
from samr1.rollout import logprobs
from samr1.segmenter.build import build_sam2
from samr1.segmenter.size import SegmenterSize, find_segmenter_size
from samr1.train import room
from samr1.train.activations import LOGITS_AT_ONCE, kept_activations
from samr1.train.disk import plan_disk
from samr1.train.engine import Engine, _Scorer, join_processes
from samr1.train.graph import describe_graph
from samr1.train.job import Job, total
from samr1.train.memory import plan_host, plan_memory
from samr1.train.room import check_room, describe_job, find_changes, with_rank

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("size", "numbers"),
    [
        ("3B", 3_754_622_976),
        ("7B", 8_292_166_656),
        ("32B", 33_452_718_336),
        ("72B", 73_410_777_344),
    ],
)
def test_the_known_checkpoints_have_their_published_sizes(size: str, numbers: int) -> None:
    name = f"Qwen/Qwen2.5-VL-{size}-Instruct@{'0' * 40}"
    assert count_parts(find_policy_config(name)).all == numbers


def test_parts_and_adapters_are_counted_as_the_models_have_them() -> None:
    for size, visual in (("3B", 668_684_288), ("7B", 676_550_144)):
        config = find_policy_config(f"Qwen/Qwen2.5-VL-{size}-Instruct")
        with torch.device("meta"):
            model = Qwen2_5_VLForConditionalGeneration(config)
        parts = count_parts(config)
        assert parts.all == sum(weight.numel() for weight in model.parameters())
        assert parts.vision == sum(w.numel() for w in model.model.visual.parameters()) == visual
        for targets, vision in (
            (get_args(Layer), True),
            (get_args(Layer), False),
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
    assert count_parts(micro).all == 1_558_432
    size = find_segmenter_size(str(weights / "segmenter"))
    file = weights / "segmenter/model.safetensors"
    assert size == SegmenterSize(weights=file.stat().st_size, channels=16)
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


def job_of(policy: Any, **changes: Any) -> Job:
    """A job of the tiny policy on a CPU, one question of three responses of four tokens."""
    job = Job(
        policy=policy.model.config,
        segmenter=SegmenterSize(0, 16),
        segmenter_size=128,
        image_size=56,
        number_bytes=policy.model.dtype.itemsize,
        trainable=sum(weight.numel() for weight in policy.model.parameters()),
        adapter=False,
        train_vision=True,
        offload=False,
        processes=1,
        zero_stage=0,
        gradient_checkpointing=False,
        tokens_per_pass=4096,
        group_size=3,
        questions=1,
        response_tokens=4,
        prompt_tokens=100,
        cuda=False,
    )
    return replace(job, **changes)


@pytest.fixture
def only_what_is_new() -> Iterator[None]:
    """Hide the objects there are from the collector: it then looks through the test's own alone."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def live_bytes() -> int:
    """Bytes of all tensors that the collector sees, gradients included, each storage once."""
    gc.collect()
    things = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, nn.Parameter)]
    leaves = [thing for thing in things if thing.is_leaf and thing.grad is not None]
    storages = [one.untyped_storage() for one in [*things, *(leaf.grad for leaf in leaves)]]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.mark.usefixtures("only_what_is_new")
@pytest.mark.parametrize(
    ("dtype", "zero_stage", "offload"),
    [
        ("float32", 0, False),
        ("float32", 2, False),
        *(("bfloat16", stage, False) for stage in range(4)),
        *(("bfloat16", stage, True) for stage in range(1, 4)),
        ("float32", 3, True),
    ],
)
def test_states_and_gradients_are_as_many_bytes_as_deepspeed_holds(
    dtype: str, zero_stage: int, offload: bool, tmp_path: Path
) -> None:
    join_processes()
    before = live_bytes()
    policy = tiny_policy(hidden=128, layers=3)
    policy.model.to(getattr(torch, dtype))
    stage = make_stage(tmp_path, zero_stage=zero_stage, offload_optimizer=offload)
    stage = stage.model_copy(update={"policy": stage.policy.model_copy(update={"dtype": dtype})})
    engine = Engine(policy, stage)
    question = encode_question(policy, random_image(0), "a ball", "sam_r1")

    def add_gradients() -> None:
        scored = engine.score([question], [[[20, 21, 22, 23]] * 3])
        engine.backward(scored.logprobs.sum())

    add_gradients()
    engine.step(1e-3)
    job = job_of(policy, zero_stage=zero_stage, offload=offload)
    there = {line.what: line.bytes for line in plan_memory(job).states}
    there.pop("reference weights")
    # Not there at all times.
    bucket = there.pop("reduction bucket", 0.0)
    assert live_bytes() - before - bucket == pytest.approx(sum(there.values()), rel=0.03)
    add_gradients()
    added = {line.what: line.bytes for line in plan_memory(job).phases["forward and backward"]}
    bucket += added["reduction bucket"] if zero_stage == 1 else 0.0  # stage 2's is gone by now
    there["new gradients"] = added.get("gradients", 0.0)
    assert live_bytes() - before - bucket == pytest.approx(sum(there.values()), rel=0.03)


def saved_bytes(policy: Any, checkpointing: bool) -> tuple[int, int]:
    """Bytes that autograd saves for the backward pass, weights apart; and the prompt's tokens."""
    scorer = _Scorer(policy, 1.0, checkpointing)
    question = encode_question(policy, random_image(0, 112), "a ball", "sam_r1")
    known = {weight.untyped_storage().data_ptr() for weight in policy.model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in known:
            saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        scorer([question], [[[20] * 24] * 4], None)
    size = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    return size, len(question.input_ids)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_activations_are_within_a_fifth_of_what_autograd_saves(
    dtype: torch.dtype, checkpointing: bool
) -> None:
    policy = tiny_policy(hidden=128, layers=4)
    policy.model.to(dtype)
    found, prompt = saved_bytes(policy, checkpointing)
    changes = {"group_size": 4, "response_tokens": 24, "prompt_tokens": prompt, "image_size": 112}
    job = job_of(policy, gradient_checkpointing=checkpointing, **changes)
    planned = total(kept_activations(job, job.row, 1))
    assert found == pytest.approx(planned, rel=0.2)


def test_the_chunk_of_logits_is_the_one_that_is_planned() -> None:
    assert logprobs._LOGITS_AT_ONCE == LOGITS_AT_ONCE


def paper_job(run: str, processes: int, rank: int | None = None) -> Job:
    stage = load_experiment(ROOT / "config", "paper").runs[run].train_stage()
    return describe_job(with_rank(stage, rank) if rank else stage, processes, True)


def test_the_paper_fits_its_machine_and_adapters_fit_one_of_48_gb() -> None:
    assert 60e9 < plan_memory(paper_job("sam_r1", 8)).needed < 80e9
    assert 25e9 < plan_memory(paper_job("sam_r1", 1, rank=64)).needed < 48e9
    assert plan_memory(paper_job("sam_r1", 1)).needed > 160e9


def test_3b_does_not_fit_one_gpu_of_80_gb_and_what_makes_it_fit_is_named() -> None:
    job = paper_job("qwen2.5vl_3b", 1)
    # Without any activation: weights, reference, masters and moments, then the step's float32.
    assert plan_memory(job).needed > 3_754_622_976 * (2 + 2 + 4 + 8 + 2 + 2 + 4 + 4)
    words = [change.words for change in find_changes(job, 80e9, hardware=True)]
    assert words == [
        "train.offload_optimizer: true",
        "train.lora of rank 64 with policy.train_vision: false",
        "2 GPUs",
    ]
    assert plan_memory(replace(job, processes=2, questions=8)).needed <= 80e9


def test_each_change_that_is_proposed_fits_and_none_is_larger_than_it_must_be() -> None:
    job = replace(paper_job("sam_r1", 8), gradient_checkpointing=False)
    changes = find_changes(job, 80e9, hardware=False)
    assert changes[0].words == "train.gradient_checkpointing: true"
    assert all(change.memory.needed <= 80e9 for change in changes)
    settings = [change.words.split(": ")[0] for change in changes]
    assert len(set(settings)) == len(settings)


def test_training_is_refused_with_the_setting_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    stage = load_experiment(ROOT / "config", "micro").runs["sam_r1"].train_stage()
    cpu = torch.device("cpu")
    check_room(stage, cpu, 1)
    spent = []
    for _ in range(5):
        begin = time.process_time()  # its own, whatever runs beside
        check_room(stage, cpu, 1)
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.05
    monkeypatch.setattr(room, "available_memory", lambda: 0.6e9)
    with pytest.raises(UserError) as refused:
        check_room(stage, cpu, 1)
    sentence = str(refused.value)
    assert "there are 0.6 GB" in sentence
    assert "train.gradient_checkpointing: true (" in sentence
    assert "train.tokens_per_pass: 4096 (" in sentence
    monkeypatch.setattr(room, "available_memory", lambda: 1e9)
    with pytest.raises(UserError, match=r"there are 0\.5 GB"):
        check_room(stage, cpu, 2)


def test_what_is_offloaded_is_the_hosts_and_must_fit_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = paper_job("sam_r1", 1)
    there = replace(job, offload=True)
    moved = total(plan_host(there)) - total(plan_host(job))
    assert moved == job.trainable * (4 + 8 + 4 + 2 + 2)
    assert plan_memory(job).needed - plan_memory(there).needed > job.trainable * (4 + 8)
    gpu = SimpleNamespace(total_memory=plan_memory(there).needed)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: gpu)
    stage = load_experiment(ROOT / "config", "paper").runs["sam_r1"].train_stage()
    stage = stage.model_copy(
        update={"train": stage.train.model_copy(update={"offload_optimizer": True})}
    )
    monkeypatch.setattr(room, "available_memory", lambda: 190e9)
    check_room(stage, torch.device("cuda"), 1)
    monkeypatch.setattr(room, "available_memory", lambda: 180e9)
    with pytest.raises(UserError, match=r"needs 188\.4 GB of the host's memory and 180\.0 GB are"):
        check_room(stage, torch.device("cuda"), 1)


def test_the_graph_is_the_workflows() -> None:
    experiment = load_experiment(ROOT / "config", "micro")
    graph = describe_graph(experiment, ROOT / "config/published.yaml")
    assert len(graph.trainings) == 10
    assert len(graph.predictions) == 31  # as many as tests/workflow counts
    assert graph.splits["lisa_grounding"].samples == 520
    assert graph.splits["refcocog_test"].samples == 1040


def test_data_sets_need_room_until_they_are_there(tmp_path: Path) -> None:
    paper = load_experiment(ROOT / "config", "paper")
    paper = replace(paper, data=paper.data.model_copy(update={"root": str(tmp_path)}))
    graph = describe_graph(paper, ROOT / "config/published.yaml")
    datasets = load_datasets(ROOT / "config/datasets.yaml")
    job = describe_job(paper.runs["sam_r1"].train_stage(), 8, True)

    def needed() -> dict[str, float]:
        lines = [
            line
            for place in plan_disk(paper, datasets, graph, job, tmp_path)
            for line in place.lines
        ]
        return {line.what.partition(":")[0]: line.bytes for line in lines if "archive" in line.what}

    before = needed()
    assert before.keys() == datasets.keys()
    assert before["refcoco"] == 53_993_993 + 400_000_000
    (tmp_path / "refcoco").mkdir()
    for name in datasets["refcoco"].holds:
        (tmp_path / name).write_text("{}")
    (tmp_path / "refcocog").mkdir()  # of which nothing is there
    assert before.keys() - needed().keys() == {"refcoco"}


def run_plan(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["plan", *options])
    try:
        run_command(plan.main)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_plan_is_printed_with_its_arithmetic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = ("--config", "scale=paper")
    assert run_plan(monkeypatch, *paper, "--gpus", "8", "--gpu-memory", "80") == 0
    said = capsys.readouterr().out
    assert "8,292,166,656 × 8 B / 8" in said
    assert "evaluate sam_r1" in said
    three = ("--run", "qwen2.5vl_3b", "--gpus", "1", "--gpu-memory", "80")
    assert run_plan(monkeypatch, *paper, *three) == 1
    printed = capsys.readouterr()
    assert "It does not fit." in printed.out
    assert printed.err.startswith("error: training qwen2.5vl_3b needs ")
    assert printed.err.count("\n") == 1
    assert "train.lora of rank 64 with policy.train_vision: false" in printed.err


def test_a_plan_refuses_what_is_no_choice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_plan(monkeypatch, "--config", "paper") == 1
    assert run_plan(monkeypatch, "--run", "no_such_run") == 1
    assert run_plan(monkeypatch, "--gpus", "0") == 2
    said = capsys.readouterr().err
    assert "must be KEY=VALUE" in said
    assert "no such run at scale micro" in said
