"""What is run at the published widths, by the plan alone, and the rates that come of a check."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import Qwen2_5_VLConfig

from samr1.config.merge import load_experiment
from samr1.core.errors import UserError
from samr1.gpu.findings import found
from samr1.gpu.models import published_policy, resized
from samr1.gpu.plans import (
    choose_job,
    compare_rates,
    look,
    measured_rates,
    paper_job,
    plan_job,
    planned_bytes,
)
from samr1.gpu.run import Outcome, Report
from samr1.gpu.setting import Setting, check_size, make_setting, train_stage
from samr1.planning.fit import change_stage
from samr1.planning.job import describe_job
from samr1.planning.parameters import count_parts

ROOT = Path(__file__).parents[2]
FIGURES = {
    "update.operations": 400.0,
    "update.optimizer_bytes": 2000.0,
    "decoding.captured.bytes": 2500.0,
    "segmenter.tf32.images": 25.0,
    "segmenter.tf32.prompts": 500.0,
}


def published() -> Setting:
    return make_setting("7b", torch.device("cuda", 0))  # which nothing here touches


def test_what_is_trained_is_the_papers_training_on_one_of_its_eight_processes() -> None:
    paper = load_experiment(ROOT / "config", "paper").runs["sam_r1"].train_stage()
    ours = train_stage(published(), paper.train.max_response_tokens)
    assert ours.train.questions_per_step * 8 == paper.train.questions_per_step
    there = {"train.questions_per_step": 16, "policy.attention": paper.policy.attention}
    assert change_stage(ours, there) == paper


def test_the_published_widths_are_those_of_the_7b() -> None:
    config = published_policy()
    assert count_parts(config).all == 8_292_166_656
    file = ROOT / "tests/fixtures/qwen2.5_vl_7b.config.json"
    published = Qwen2_5_VLConfig.from_dict(json.loads(file.read_text()))
    for name in ("rope_parameters", "rms_norm_eps", "hidden_size", "layer_types", "hidden_act"):
        assert getattr(config.text_config, name) == getattr(published.text_config, name), name
    for name in ("window_size", "fullatt_block_indexes", "hidden_act", "num_heads"):
        assert getattr(config.vision_config, name) == getattr(published.vision_config, name), name
    small = resized(config, 7)
    assert (small.text_config.num_hidden_layers, small.vision_config.depth) == (7, 8)
    assert small.text_config.vocab_size == config.text_config.vocab_size
    assert config.text_config.num_hidden_layers == 28  # it is a copy


def test_as_many_layers_are_trained_as_the_card_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = published()
    most = {}
    for gigabytes in (48, 80, 200):
        card = SimpleNamespace(total_memory=gigabytes * 1e9)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _, card=card: card)
        job = choose_job(setting, 1100)
        layers = job.policy.text_config.num_hidden_layers
        assert planned_bytes(job) < 0.85 * gigabytes * 1e9
        assert planned_bytes(plan_job(setting, layers + 1, 1100)) > 0.85 * gigabytes * 1e9
        most[gigabytes] = layers
    assert 0 < most[48] < most[80] < most[200] < 28
    card = SimpleNamespace(total_memory=16e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    with pytest.raises(UserError, match="one layer of the published widths takes"):
        choose_job(setting, 1100)


def test_the_extrapolated_step_is_the_papers() -> None:
    paper = load_experiment(ROOT / "config", "paper").runs["sam_r1"].train_stage()
    theirs, ours = describe_job(paper, 8, True), paper_job(published())
    assert (ours.questions, ours.row, ours.processes) == (theirs.questions, theirs.row, 8)
    assert count_parts(ours.policy) == count_parts(theirs.policy)


def test_a_step_is_extrapolated_from_what_was_measured() -> None:
    values = measured_rates(FIGURES)
    assert values["operations"] == 400e12
    assert values["image"] == 0.04

    def step(values: dict[str, float]) -> float:
        (found,) = [one for one in look(published(), "H100", values) if one.key == "rates.step"]
        assert found.bar == "≤ 110"
        return float(found.value or 0)

    fast, slow = step(values), step(values | {"operations": 40e12})
    assert 0 < fast < 110 < slow
    (missing,) = [
        one for one in look(published(), "H100", {"operations": 400e12}) if one.key == "rates.step"
    ]
    assert missing.value is None
    assert "decoding" in missing.note


def test_a_tiny_run_tells_the_plan_nothing() -> None:
    findings = [found(key, key, value) for key, value in FIGURES.items()]
    report = Report("tiny", 8, "now", stages=[Outcome("all", "All", "done", findings=findings)])
    outcome = compare_rates(report)
    assert outcome.state == "done"
    assert report.rates == {}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_published_widths_are_refused_without_a_gpu() -> None:
    assert check_size("tiny") == torch.device("cpu")
    with pytest.raises(UserError, match="--size tiny"):
        check_size("7b")


def test_a_copy_without_the_settings_is_refused_before_the_first_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("samr1.gpu.setting.CONFIG", tmp_path / "config")
    with pytest.raises(UserError, match=r"/config: is not there.*; copy it with src/"):
        check_size("tiny")
