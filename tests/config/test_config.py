"""The configuration: what the paper fixes, what is refused, and in which words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

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
from samr1.core.errors import UserError
from samr1.train.batches import count_steps

SETTINGS = Path(__file__).parents[2] / "config"
Edit = Callable[[str, str, object], Path]


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    """Copy the settings with one value changed: edit("runs.yaml", "grpo/train/clip_high", 0.1)."""
    folder = tmp_path / "config"
    shutil.copytree(SETTINGS, folder)

    def change(file: str, path: str, value: object) -> Path:
        document = yaml.safe_load((folder / file).read_text())
        *parents, last = path.split("/")
        place = document
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value
        (folder / file).write_text(yaml.safe_dump(document))
        return folder

    return change


def refusal(folder: Path, scale: str = "micro") -> str:
    """The sentence that loading ends in, without the folder's own path."""
    with pytest.raises(UserError) as caught:
        load_experiment(folder, scale)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("scale", ["micro", "smoke", "paper"])
def test_every_run_of_the_paper_is_there(scale: str) -> None:
    runs = load_experiment(SETTINGS, scale).runs
    trained = {name for name, run in runs.items() if run.trained}
    assert trained >= {
        *("sam_r1", "threshold_0.5", "threshold_0.7", "threshold_0.8", "no_kl"),
        *("grpo", "grpo_token_level", "grpo_clip_higher"),
        *("negative_points_any", "negative_points_inside"),
        *("sam_r1_0.3x", "sam_r1_3x", "no_kl_3x"),
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
    assert [count_steps(train.drawn_samples, train) * per_step for train in sweep] == drawn


def test_counts_are_checked_but_for_the_drawn_worlds() -> None:
    checked = {
        s: load_experiment(SETTINGS, s).data.check_counts for s in ("micro", "smoke", "paper")
    }
    assert checked == {"micro": False, "smoke": False, "paper": True}


def test_table_5_changes_one_thing_at_a_time() -> None:
    runs = load_experiment(SETTINGS, "micro").runs
    settings = {
        name: (runs[name].train.token_level, runs[name].train.clip_high)
        for name in ("grpo", "grpo_token_level", "grpo_clip_higher", "sam_r1")
    }
    assert settings == {
        "grpo": (False, 0.2),
        "grpo_token_level": (True, 0.2),
        "grpo_clip_higher": (False, 0.3),
        "sam_r1": (True, 0.3),
    }


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


# file, path of the changed key, its value, and the sentence it ends in
WORD = "may hold letters, digits and ._/@+=,:- alone, since it stands in commands of rules."

REFUSED = [
    (
        *("studies.yaml", "sweep/runs", ["sam_r1", "sam_r1_9x"]),
        "studies.yaml: sweep.runs: sam_r1_9x is no trained run of scale micro; add it to runs.yaml "
        "or take it out here.",
    ),
    (
        *("studies.yaml", "long/seeds", {"paper": [0]}),
        "studies.yaml: long.seeds: has none for scale micro; add a list of them.",
    ),
    (
        *("studies.yaml", "long/baseline", "sam_r1"),
        'studies.yaml: long.baseline = "sam_r1": must be one of sam_r1_3x, no_kl_3x.',
    ),
    (
        *("scales/micro.yaml", "checkpoint", "best"),
        "scales/micro.yaml: checkpoint = \"best\": must be 'last'.",
    ),
    (
        *("runs.yaml", "base/benchmarks", ["reasonseg"]),
        'runs.yaml: run base: benchmarks = "reasonseg": there is no such benchmark; there are '
        "reasonseg_val, reasonseg_test, refcoco_testa, refcocop_testa, refcocog_test, "
        "lisa_grounding.",
    ),
    (
        *("runs.yaml", "sam_r1/benchmarks", ["reasonseg_val"]),
        'runs.yaml: run sam_r1: benchmarks = ["reasonseg_val"]: must be left out where trained is '
        "true.",
    ),
    (
        *("scales/micro.yaml", "data/layout", "mirror"),
        'scales/micro.yaml: data.layout = "mirror": must be files where the world is drawn.',
    ),
    (
        *("benchmarks.yaml", "lisa_grounding/mirror", "o/n"),
        'benchmarks.yaml: benchmark lisa_grounding: mirror = "o/n": must be left out; no mirror '
        "has its first shapes.",
    ),
    (
        *("benchmarks.yaml", "reasonseg_val/mirror", "../n"),
        'benchmarks.yaml: benchmark reasonseg_val: mirror = "../n": must be owner/name, as on '
        "the model hub, or owner/name@<commit of 40 hexadecimal digits>.",
    ),
    (
        *("runs.yaml", "grpo/train/clip_high", 0.1),
        "runs.yaml: run grpo: train.clip_high = 0.1: must be >= clip_low (0.2).",
    ),
    (
        *("runs.yaml", "grpo/train/clip_hihg", 0.2),
        "runs.yaml: run grpo: train.clip_hihg: unknown key; the nearest allowed key is clip_high.",
    ),
    (
        *("runs.yaml", "no_kl/train/kl_coef", "none"),
        'runs.yaml: run no_kl: train.kl_coef = "none": must be a valid number, unable to parse '
        "string as a number.",
    ),
    (
        *("runs.yaml", "no_kl/train/kl_coef", float("nan")),
        "runs.yaml: run no_kl: train.kl_coef = NaN: must be a finite number.",
    ),
    (
        *("runs.yaml", "sam_r1/reward", {"segmentation": "fixed"}),
        "runs.yaml: run sam_r1: reward.threshold = null: must be given (0 < threshold < 1) with "
        "fixed rewards.",
    ),
    (
        *("runs.yaml", "sam_r1/reward", {"threshold": 0.5}),
        "runs.yaml: run sam_r1: reward.threshold = 0.5: must be left out with tiered rewards.",
    ),
    (
        *("runs.yaml", "sam_r1/reward", {"negative_points": "any"}),
        'runs.yaml: run sam_r1: reward.negative_points = "any": must be none with dialect sam_r1; '
        "only sam_r1_points has several points.",
    ),
    (
        *("runs.yaml", "sam_r1/train", {"top_p": 0.9}),
        "runs.yaml: run sam_r1: train.top_p = 0.9: must be 1: rollout and log-probabilities must "
        "mean one distribution.",
    ),
    (
        *("runs.yaml", "sam_r1/policy", {"path": "Qwen/Qwen2.5-VL-7B-Instruct"}),
        'runs.yaml: run sam_r1: policy.path = "Qwen/Qwen2.5-VL-7B-Instruct": must be a folder or '
        "file that is here, or a name on the model hub with its revision, owner/name@<commit of 40 "
        "hexadecimal digits>, so that results can be repeated.",
    ),
    (
        *("scales/paper.yaml", "defaults/policy/dtype", "float32"),
        "scales/paper.yaml: defaults: segmenter.tf32 = true: must be false with policy.dtype "
        "float32, whose products it would round too.",
    ),
    (
        *("runs.yaml", "sam_r1/policy", {"attention": "flash"}),
        "runs.yaml: run sam_r1: policy.attention = \"flash\": must be 'flex' or 'two_calls'.",
    ),
    (
        *("runs.yaml", "sam_r1/seed", 3),
        "runs.yaml: run sam_r1: seed: is not a run's to choose; remove it.",
    ),
    (
        *("runs.yaml", "a run", {}),
        "runs.yaml: run a run: name = \"a run\": must match pattern '^[a-z0-9][a-z0-9_.]*$'.",
    ),
    # What stands in the commands of rules, which a shell reads.
    (
        *("benchmarks.yaml", "$(id)", {"dataset": "reasonseg", "split": "val"}),
        'benchmarks.yaml: a benchmark: name = "$(id)": must match pattern '
        "'^[a-z0-9][a-z0-9_.]*$'.",
    ),
    (
        *("benchmarks.yaml", "reasonseg_val/split", "val; id"),
        f'benchmarks.yaml: benchmark reasonseg_val: split = "val; id": {WORD}',
    ),
    (
        *("scales/paper.yaml", "data/root", "`id`"),
        f'scales/paper.yaml: data.root = "`id`": {WORD}',
    ),
    (
        *("runs.yaml", "sam_r1/policy", {"path": "a && id"}),
        f'runs.yaml: run sam_r1: policy.path = "a && id": {WORD}',
    ),
    (
        *("scales/micro.yaml", "defaults/train/steps", 0),
        "scales/micro.yaml: defaults: train.steps = 0: must be greater than or equal to 1.",
    ),
    (
        *("scales/micro.yaml", "data/world", None),
        "scales/micro.yaml: data.root = null: must be given where no world is drawn, and only "
        "there.",
    ),
    (
        *("benchmarks.yaml", "refcoco_testa/split_by", None),
        "benchmarks.yaml: benchmark refcoco_testa: split_by = null: must be given for RefCOCO sets "
        "and only there.",
    ),
    (
        *("benchmarks.yaml", "lisa_grounding/sentences", "all"),
        'benchmarks.yaml: benchmark lisa_grounding: sentences = "all": must be first; '
        "lisa_grounding is scored on its first.",
    ),
]


@pytest.mark.parametrize(("file", "path", "value", "sentence"), REFUSED)
def test_a_bad_value_is_refused_in_one_sentence(
    edit: Edit, file: str, path: str, value: object, sentence: str
) -> None:
    scale = "paper" if "paper" in file else "micro"
    assert refusal(edit(file, path, value), scale) == sentence


def test_a_clipping_ablation_needs_two_updates(edit: Edit) -> None:
    sentence = refusal(edit("scales/micro.yaml", "defaults/train/updates_per_rollout", 1))
    assert sentence.startswith("runs.yaml: run grpo: train.updates_per_rollout = 1: must be >= 2")


def test_the_run_that_a_clipping_ablation_is_compared_with_needs_two_updates(edit: Edit) -> None:
    sentence = refusal(edit("runs.yaml", "sam_r1/train", {"updates_per_rollout": 1}))
    assert sentence.startswith("runs.yaml: run sam_r1: train.updates_per_rollout = 1")


def test_one_update_is_allowed_where_no_bound_is_compared(edit: Edit) -> None:
    folder = edit("runs.yaml", "no_kl/train/updates_per_rollout", 1)
    assert load_experiment(folder, "micro").runs["no_kl"].train.updates_per_rollout == 1


def test_an_unknown_scale_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r'scale = "papr": must be one of micro, paper, smoke\.'):
        load_experiment(SETTINGS, "papr")


def test_broken_yaml_is_refused_by_file_and_line(edit: Edit) -> None:
    folder = edit("runs.yaml", "base/trained", False)
    (folder / "runs.yaml").write_text("base: {trained: false")
    assert "runs.yaml: not valid YAML" in refusal(folder)


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
