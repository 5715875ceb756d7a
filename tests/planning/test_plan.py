"""The plan: what fits which machine, what is refused and with which change, and what is printed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from samr1.cli import plan
from samr1.config.datasets import load_datasets
from samr1.config.jobs import JobList, list_evaluations, list_trainings
from samr1.config.merge import load_experiment
from samr1.core.errors import UserError, run_command
from samr1.planning import fit
from samr1.planning.disk import plan_disk
from samr1.planning.fit import check_fits, find_changes, with_rank
from samr1.planning.hours import plan_step
from samr1.planning.job import Job, describe_job, total
from samr1.planning.memory import plan_host, plan_memory
from samr1.planning.rates import GPUS, calculated
from samr1.planning.splits import Split, find_split

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
    assert plan_memory(job).needed > 3_754_622_976 * (2 + 2 + 4 + 8 + 2 + 2 + 4 + 4)
    words = [change.words for change in find_changes(job, 80e9, hardware=True)]
    assert words == [
        "train.offload_optimizer: true",
        "train.lora of rank 64 with policy.train_vision: false",
        "2 GPUs",
    ]
    assert plan_memory(replace(job, processes=2, questions=8)).needed <= 80e9


def test_updates_of_some_questions_cost_steps_and_one_forward_pass_of_the_rest() -> None:
    rates = calculated(GPUS["h100"])
    job = replace(paper_job("sam_r1", 1), updates=4)
    whole, cut = (
        {phase.what: phase.amount for phase in plan_step(one, rates)}
        for one in (replace(job, updates=1), job)
    )
    later = cut["old log-probabilities, later updates"]
    assert later == pytest.approx(0.75 * cut["reference"])
    assert cut["AdamW"] == pytest.approx(4 * whole["AdamW"])
    assert sum(cut.values()) == pytest.approx(sum(whole.values()) + later + 3 * whole["AdamW"])
    assert (job.passes, replace(job, updates=1).passes) == (4, 16)  # of an update


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
    job = replace(paper_job("sam_r1", 8), gradient_checkpointing=False)
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
    monkeypatch.setattr(fit, "available_memory", lambda: 0.6e9)
    with pytest.raises(UserError) as refused:
        check_fits(stage, cpu, 1)
    sentence = str(refused.value)
    assert "there are 0.6 GB" in sentence
    assert "train.gradient_checkpointing: true (" in sentence
    assert "train.tokens_per_pass: 4096 (" in sentence
    monkeypatch.setattr(fit, "available_memory", lambda: 1e9)
    with pytest.raises(UserError, match=r"there are 0\.5 GB"):
        check_fits(stage, cpu, 2)


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
    monkeypatch.setattr(fit, "available_memory", lambda: 190e9)
    check_fits(stage, torch.device("cuda"), 1)
    monkeypatch.setattr(fit, "available_memory", lambda: 180e9)
    with pytest.raises(UserError, match=r"needs 188\.4 GB of the host's memory and 180\.0 GB are"):
        check_fits(stage, torch.device("cuda"), 1)


def test_splits_are_as_large_as_published_or_as_drawn() -> None:
    drawn, public = (load_experiment(ROOT / "config", scale) for scale in ("micro", "paper"))
    for name, micro, paper in (
        ("lisa_grounding", Split(520, 520), Split(779, 779)),
        ("refcocog_test", Split(1040, 1040), Split(5023, 2600)),
    ):
        assert find_split(drawn.benchmarks[name], drawn.data.world) == micro
        assert find_split(public.benchmarks[name], public.data.world) == paper


def test_data_sets_need_room_until_they_are_there(tmp_path: Path) -> None:
    paper = load_experiment(ROOT / "config", "paper")
    paper = replace(paper, data=paper.data.model_copy(update={"root": str(tmp_path)}))
    planned = JobList(list_trainings(paper), list_evaluations(paper))
    datasets = load_datasets(ROOT / "config/datasets.yaml")
    job = describe_job(paper.runs["sam_r1"].train_stage(), 8, True)

    def needed() -> dict[str, float]:
        lines = [
            line
            for place in plan_disk(paper, datasets, planned, job, tmp_path)
            for line in place.written
        ]
        return {
            line.what.partition(":")[0]: line.amount for line in lines if "archive" in line.what
        }

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


def write_measured(file: Path, rates: object) -> str:
    file.write_text(json.dumps({"size": "7b", "rates": rates}))
    return str(file)


def test_a_plan_takes_the_rates_that_were_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paper = ("--config", "scale=paper", "--gpus", "8", "--gpu", "h100")
    assert run_plan(monkeypatch, *paper) == 0
    before = capsys.readouterr().out
    assert "on H100 SXM 80 GB" in before
    assert "assumed: 35% of the sheet" in before
    assert "measured" not in before.replace("--measured", "")
    values = {"operations": 2 * 0.35 * 989e12, "image": 0.03, "prompt": 0.002}
    file = write_measured(tmp_path / "check_gpu.json", {"card": "Some Card", "values": values})
    assert run_plan(monkeypatch, *paper, "--measured", file) == 0
    after = capsys.readouterr().out
    assert "on Some Card" in after

    def line(page: str, what: str) -> list[str]:
        (found,) = [line for line in page.splitlines() if line.startswith(what)]
        return found.split()

    assert line(before, "reference ")[-1] == "calculated"
    assert line(after, "reference ")[-1] == "measured"
    assert line(after, "decoding ")[-1] == "calculated"  # of which nothing was measured
    seconds = [float(line(page, "2 updates")[-2]) for page in (before, after)]
    assert seconds[1] == pytest.approx(seconds[0] / 2, abs=0.06)


def test_a_plan_refuses_what_is_no_measurement(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "check_gpu.json"
    paper = ("--config", "scale=paper", "--gpus", "8", "--measured", str(file))
    assert run_plan(monkeypatch, *paper) == 1
    write_measured(file, {})
    assert run_plan(monkeypatch, *paper) == 1
    for value in (0, "fast", float("inf")):
        write_measured(file, {"card": "Some Card", "values": {"operations": value}})
        assert run_plan(monkeypatch, *paper) == 1
    write_measured(file, {"card": "Some Card", "values": {"gpu": 1.0}})
    assert run_plan(monkeypatch, *paper) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6
    assert "is no check_gpu.json that can be read" in said[0]
    assert "holds no rate of a card" in said[1]
    assert "its rate operations is 0;" in said[2]
    assert "its rate gpu is 1.0;" in said[5]
