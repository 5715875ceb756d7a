"""What one job needs: memory and hours; what does not fit, and with which change it would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from samr1.config.merge import load_experiment
from samr1.core.errors import UserError
from samr1.planning import fit
from samr1.planning.fit import (
    change_stage,
    check_fits,
    evaluation_does_not_fit,
    find_changes,
    with_rank,
)
from samr1.planning.hours import plan_answers, plan_step
from samr1.planning.job import Job, describe_job, total
from samr1.planning.memory import plan_evaluation, plan_host, plan_memory
from samr1.planning.rates import GPUS, calculated, with_measured
from samr1.planning.splits import Split

ROOT = Path(__file__).parents[2]


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
    assert plan_memory(job).needed > 3_754_622_976 * (2 + 2 + 4 + 8 + 4 + 4)
    words = [change.words for change in find_changes(job, 80e9, hardware=True)]
    assert words == [
        "train.offload_optimizer: true",
        "train.lora of rank 64 with policy.train_vision: false",
        "2 GPUs",
    ]
    assert plan_memory(replace(job, processes=2)).needed <= 80e9


def test_updates_of_some_questions_cost_steps_and_one_forward_pass_of_the_rest() -> None:
    rates = calculated(GPUS["h100"])
    job = paper_job("sam_r1", 1)
    cut = replace(job, stage=change_stage(job.stage, {"train.questions_per_update": 4}))
    before, after = (
        {phase.what: phase.amount for phase in plan_step(one, rates)} for one in (job, cut)
    )
    later = after["old log-probabilities, later updates"]
    assert later == pytest.approx(0.75 * after["reference"])
    assert after["AdamW"] == pytest.approx(4 * before["AdamW"])
    more = later + 3 * before["AdamW"]
    assert sum(after.values()) == pytest.approx(sum(before.values()) + more)
    assert (job.passes, cut.passes) == (16, 4)  # of an update


def test_questions_that_are_drawn_again_are_planned_as_if_all_were() -> None:
    rates = calculated(GPUS["h100"])
    once, thrice = (
        {one.what: one.amount for one in plan_step(paper_job(run, 8), rates)}
        for run in ("sam_r1", "filter_groups")
    )
    sampled = {"prompts and images", "decoding", "reward by SAM"}
    assert {what: thrice[what] for what in thrice} == pytest.approx(
        {what: once[what] * (3 if what in sampled else 1) for what in once}
    )


def test_each_change_that_is_proposed_fits_and_none_is_larger_than_it_must_be() -> None:
    job = paper_job("sam_r1", 8)
    kept = change_stage(job.stage, {"train.gradient_checkpointing": False})
    job = replace(job, stage=kept)
    changes = find_changes(job, 80e9, hardware=False)
    assert changes[0].words == "train.gradient_checkpointing: true"
    assert all(change.needed <= 80e9 for change in changes)
    settings = [change.words.split(": ")[0] for change in changes]
    assert len(set(settings)) == len(settings)


def test_training_is_refused_with_the_setting_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    stage = load_experiment(ROOT / "config", "micro").runs["sam_r1"].train_stage()
    cpu = torch.device("cpu")
    check_fits(stage, cpu, 1)
    monkeypatch.setattr(fit, "available_memory", lambda: 0.3e9)
    with pytest.raises(UserError) as refused:
        check_fits(stage, cpu, 1)
    sentence = str(refused.value)
    assert "there are 0.3 GB" in sentence
    assert "train.gradient_checkpointing: true (" in sentence
    assert "train.tokens_per_pass: 2048 (" in sentence
    monkeypatch.setattr(fit, "available_memory", lambda: 0.2e9)
    with pytest.raises(UserError, match=r"there are 0\.1 GB"):
        check_fits(stage, cpu, 2)


def test_what_is_offloaded_is_the_hosts_and_must_fit_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = paper_job("sam_r1", 1)
    stage = change_stage(job.stage, {"train.offload_optimizer": True})
    there = replace(job, stage=stage)
    moved = total(plan_host(there)) - total(plan_host(job))
    assert moved == job.trainable * (4 + 8 + 4 + 2 + 2)
    assert plan_memory(job).needed - plan_memory(there).needed > job.trainable * (4 + 8)
    gpu = SimpleNamespace(total_memory=plan_memory(there).needed)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: gpu)
    monkeypatch.setattr(fit, "available_memory", lambda: 190e9)
    check_fits(stage, torch.device("cuda"), 1)
    monkeypatch.setattr(fit, "available_memory", lambda: 180e9)
    with pytest.raises(UserError, match=r"needs 187\.4 GB of the host's memory and 180\.0 GB are"):
        check_fits(stage, torch.device("cuda"), 1)


def test_an_evaluation_has_a_memory_of_its_own_and_as_many_answers_at_once_as_fit() -> None:
    run = load_experiment(ROOT / "config", "paper").runs["sam_r1"]
    job = describe_job(run.train_stage(), 1, True, evaluated=True)
    memory = plan_evaluation(job, run.evaluation)
    # Weights, and 64 answers' keys and values: 1,100 and 1,024 tokens in slots of 9 × 256.
    least = 8_292_166_656 * 2 + 224_430_130 * 4 + 64 * 9 * 256 * (2 * 28 * 512 * 2)
    least += 4 * 10**9 + 64 * 10**8  # SAM 2: images, and masks of all questions on one of them
    assert least < memory.needed < 1.2 * least
    sizes = {"train.group_size": 2, "train.questions_per_step": 1}
    other = replace(job, stage=change_stage(job.stage, sizes))
    assert plan_evaluation(other, run.evaluation) == memory  # a training's sizes are none of its
    said = evaluation_does_not_fit(run, job, 0.9 * memory.needed)
    assert said.startswith(f"evaluating sam_r1 needs {memory.needed / 1e9:.1f} GB a process and ")
    assert "it fits with evaluation.batch_size: 32 (" in said
    assert said.count("GB") == 3
    assert "not even one answer" in evaluation_does_not_fit(run, job, 18e9)


def test_an_answer_that_ends_makes_room_for_the_next() -> None:
    job = paper_job("sam_r1", 1)
    rates = with_measured(calculated(GPUS["a100"]), "no masks", {"image": 1e-9, "prompt": 1e-9})
    whole, more, few = (plan_answers(job, Split(n, 0), 64, rates) for n in (6400, 6401, 32))
    assert whole < more < 1.001 * whole
    assert few == pytest.approx(plan_answers(job, Split(32, 0), 32, rates))
