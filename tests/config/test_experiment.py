"""The configuration as it is: what the paper fixes, and what each stage gets of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from edited_settings import SETTINGS, Edit

from samr1.config.data import WorldConfig
from samr1.config.jobs import find_study_seeds
from samr1.config.merge import load_experiment, merge
from samr1.config.schema import (
    PredictStage,
    ScoreStage,
    TrainStage,
    dump_stage,
    load_stage,
)


@pytest.mark.parametrize("scale", ["micro", "smoke", "paper"])
def test_every_run_of_the_paper_is_there(scale: str) -> None:
    runs = load_experiment(SETTINGS, scale).runs
    trained = {name for name, run in runs.items() if run.trained}
    assert trained >= {
        *("sam_r1", "threshold_0.5", "threshold_0.7", "threshold_0.8", "no_kl"),
        *("grpo", "grpo_token_level", "grpo_clip_higher"),
        *("negative_points_any", "negative_points_inside"),
        *("sam_r1_0.3x", "sam_r1_3x", "no_kl_3x"),
        *("dr_grpo", "gspo", "cispo", "sapo"),
        *("iou_reward", "quantile_reward", "filter_groups"),
    }
    theirs = {"qwen2.5vl_3b", "qwen2.5vl_3b_plain", "seg_zero", "visual_rft", "vlm_r1"}
    theirs |= {"qwen3vl_8b", "qwen3vl_8b_plain"}
    tiny = {
        f"tiny_{one}" for one in ("seg_zero", "qwen", "vision_reasoner", "visual_rft", "vlm_r1")
    }
    assert set(runs) - trained >= {"base", *(theirs if scale == "paper" else tiny)}
    assert not set(runs) & (tiny if scale == "paper" else theirs)


def test_paper_scale_has_the_papers_constants() -> None:
    run = load_experiment(SETTINGS, "paper").runs["sam_r1"]
    train = run.train
    assert (train.group_size, train.questions_per_step, train.updates_per_rollout) == (8, 16, 2)
    assert (train.clip_low, train.clip_high, train.kl_coef) == (0.2, 0.3, 0.005)
    assert (train.learning_rate, train.weight_decay, train.max_grad_norm) == (1e-6, 0.01, 1.0)
    assert (train.max_response_tokens, train.temperature) == (1024, 1.0)
    assert run.policy.image_size == 840
    assert train.drawn_samples == 3000


@pytest.mark.parametrize(("scale", "drawn"), [("micro", [192, 640, 1920]), ("smoke", [4, 12, 36])])
def test_the_sweep_draws_by_factors_and_passes_once(scale: str, drawn: list[int]) -> None:
    runs = load_experiment(SETTINGS, scale).runs
    sweep = [runs[name].train for name in ("sam_r1_0.3x", "sam_r1", "sam_r1_3x")]
    assert [train.drawn_samples for train in sweep] == drawn
    assert all(train.steps is None for train in sweep)
    per_step = sweep[0].questions_per_step
    assert [train.count_steps(train.drawn_samples) * per_step for train in sweep] == drawn


def test_counts_are_checked_but_for_the_drawn_worlds() -> None:
    checked = {
        s: load_experiment(SETTINGS, s).data.check_counts for s in ("micro", "smoke", "paper")
    }
    assert checked == {"micro": False, "smoke": False, "paper": True}


def test_table_5_changes_one_thing_at_a_time() -> None:
    runs = load_experiment(SETTINGS, "micro").runs
    settings = {
        name: (runs[name].train.normaliser, runs[name].train.clip_high)
        for name in ("grpo", "grpo_token_level", "grpo_clip_higher", "sam_r1")
    }
    assert settings == {
        "grpo": ("response", 0.2),
        "grpo_token_level": ("group", 0.2),
        "grpo_clip_higher": ("response", 0.3),
        "sam_r1": ("group", 0.3),
    }


def test_cispo_can_go_without_a_lower_bound_as_its_authors_do(edit: Edit) -> None:
    runs = load_experiment(edit("runs.yaml", "cispo/train/clip_low", 0.999), "micro").runs
    assert (runs["cispo"].train.clip_low, runs["cispo"].train.clip_high) == (0.999, 0.3)


def test_smoke_is_micro_but_for_what_it_says() -> None:
    micro, smoke = (load_experiment(SETTINGS, scale) for scale in ("micro", "smoke"))
    assert smoke.runs["base"].policy == micro.runs["base"].policy
    assert smoke.runs["base"].train.drawn_samples == 12


def test_merge_leaves_its_arguments_alone() -> None:
    defaults, overrides = {"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}
    assert merge(defaults, overrides) == {"a": {"b": 3, "c": 2}}
    assert (defaults, overrides) == ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})


def test_an_evaluation_setting_is_not_in_the_training_slice(edit: Edit) -> None:
    before = load_experiment(SETTINGS, "micro").runs["grpo"]
    after = load_experiment(
        edit("scales/micro.yaml", "defaults/evaluation/batch_size", 7), "micro"
    ).runs["grpo"]
    assert dump_stage(after.train_stage()) == dump_stage(before.train_stage())
    assert dump_stage(after.score_stage()) == dump_stage(before.score_stage())
    assert dump_stage(after.predict_stage()) != dump_stage(before.predict_stage())


def test_stages_are_read_back(tmp_path: Path) -> None:
    experiment = load_experiment(SETTINGS, "micro")
    run = experiment.runs["threshold_0.7"]
    file = tmp_path / "stage.yaml"
    stages = [
        (run.train_stage(), TrainStage),
        (run.predict_stage(), PredictStage),
        (run.score_stage(), ScoreStage),
        (experiment.data.world, WorldConfig),
    ]
    for stage, cls in stages:
        assert stage is not None
        file.write_text(dump_stage(stage))
        assert load_stage(file, cls) == stage


def test_a_scale_of_ones_own_needs_no_code(edit: Edit) -> None:
    folder = edit("scales/micro.yaml", "seeds", [0])
    (folder / "scales/mine.yaml").write_text("extends: smoke\nseeds: [3, 4]\n")
    mine, micro = (load_experiment(folder, scale) for scale in ("mine", "micro"))
    assert mine.seeds == (3, 4) and mine.family == ("mine", "smoke", "micro")
    assert list(mine.runs) == list(micro.runs)
    assert mine.data.world != micro.data.world and not mine.comparable
    assert find_study_seeds(mine)["grpo"] == (0, 1)  # smoke's
    (folder / "scales/mine.yaml").write_text("extends: paper\ngpus: 4\n")
    mine = load_experiment(folder, "mine")
    assert "seg_zero" in mine.runs and "tiny_qwen" not in mine.runs
    assert mine.comparable and "grounded_sam" in mine.baselines
    assert mine.table_stage("table_1").scale == "mine"
