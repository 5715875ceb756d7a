"""The configuration: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from edited_settings import SETTINGS, Edit

from samr1.config.merge import load_experiment
from samr1.core.errors import UserError


def refusal(folder: Path, scale: str = "micro") -> str:
    """The sentence that loading ends in, without the folder's own path."""
    with pytest.raises(UserError) as caught:
        load_experiment(folder, scale)
    return str(caught.value).replace(f"{folder}/", "")


# file, path of the changed key, its value, and the sentence it ends in
WORD = "may hold letters, digits and ._/@+=,:- alone, since it stands in commands of rules."
NAME = "may hold small letters, digits, _ and . alone, and begins with a letter or a digit."

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
        *("runs.yaml", "base/scales", ["papr"]),
        'runs.yaml: run base: scales = "papr": there is no such scale; there are micro, paper, '
        "smoke.",
    ),
    (
        *("runs.yaml", "base/scales", ["paper"]),
        "runs.yaml: there is no run base at scale micro; add it.",
    ),
    (
        *("baselines.yaml", "grounded_sam/scales", ["papr"]),
        'baselines.yaml: baseline grounded_sam: scales = "papr": there is no such scale; there are '
        "micro, paper, smoke.",
    ),
    (
        *("runs.yaml", "base/benchmarks", ["reasonseg"]),
        'runs.yaml: run base: benchmarks = "reasonseg": there is no such benchmark; there are '
        "reasonseg_val, reasonseg_test, refcoco_testa, refcocop_testa, refcocog_test, "
        "lisa_grounding, refcoco_testa_all, refcocop_testa_all, refcocog_test_all.",
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
        *("runs.yaml", "sam_r1/dialect", "qwen"),
        'runs.yaml: run sam_r1: dialect = "qwen": must be one that thinks where trained is true, '
        "which rewards the thought's form.",
    ),
    (
        *("runs.yaml", "sam_r1/train", {"top_p": 0.9}),
        "runs.yaml: run sam_r1: train.top_p = 0.9: must be 1: rollout and log-probabilities must "
        "mean one distribution.",
    ),
    (
        *("runs.yaml", "gspo/train/clip", "sapo"),
        'runs.yaml: run gspo: train.clip = "sapo": must be ppo with ratio: sequence (GSPO).',
    ),
    (
        *("runs.yaml", "gspo/train/normaliser", "group"),
        'runs.yaml: run gspo: train.normaliser = "group": must be response with ratio: sequence '
        "(GSPO).",
    ),
    (
        *("runs.yaml", "filter_groups/train/filter_groups", {"max_num_gen_batches": 1}),
        "runs.yaml: run filter_groups: train.filter_groups.max_num_gen_batches = 1: must be "
        "greater than or equal to 2.",
    ),
    (
        *("runs.yaml", "sam_r1/train", {"questions_per_update": 5}),
        "runs.yaml: run sam_r1: train.questions_per_update = 5: must divide questions_per_step "
        "(16).",
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
        f'runs.yaml: run a run: name = "a run": {NAME}',
    ),
    # What stands in the commands of rules, which a shell reads.
    (
        *("benchmarks.yaml", "$(id)", {"dataset": "reasonseg", "split": "val"}),
        f'benchmarks.yaml: benchmark $(id): name = "$(id)": {NAME}',
    ),
    (
        *("studies.yaml", "sweep/runs", ["my-run"]),
        f'studies.yaml: sweep.runs.0 = "my-run": {NAME}',
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
    edit("scales/micro.yaml", "defaults/train/questions_per_update", None)
    sentence = refusal(edit("scales/micro.yaml", "defaults/train/updates_per_rollout", 1))
    assert sentence.startswith("runs.yaml: run grpo: train.updates_per_rollout = 1: must be >= 2")


def test_the_run_that_a_clipping_ablation_is_compared_with_needs_two_updates(edit: Edit) -> None:
    train = {"updates_per_rollout": 1, "questions_per_update": None}
    sentence = refusal(edit("runs.yaml", "sam_r1/train", train))
    assert sentence.startswith("runs.yaml: run sam_r1: train.updates_per_rollout = 1")


def test_updates_of_some_questions_are_updates_enough_for_a_bound(edit: Edit) -> None:
    train = {"updates_per_rollout": 1, "questions_per_update": 8}
    run = load_experiment(edit("runs.yaml", "sam_r1/train", train), "micro").runs["sam_r1"]
    assert run.train.updates_per_epoch == 2


def test_one_update_is_allowed_where_no_bound_is_compared(edit: Edit) -> None:
    folder = edit("runs.yaml", "no_kl/train/updates_per_rollout", 1)
    assert load_experiment(folder, "micro").runs["no_kl"].train.updates_per_rollout == 1


def test_an_unknown_scale_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="nowhere: no such folder"):
        load_experiment(Path("nowhere"), "papr")
    with pytest.raises(UserError, match=r'scale = "papr": must be one of micro, paper, smoke\.'):
        load_experiment(SETTINGS, "papr")


BROKEN = [
    (
        "base: {trained: false",
        "line 1: not valid YAML (expected ',' or '}', but got '<stream end>')",
    ),
    ("a:\n  b: 1\n  c: 2\n d: 3\n", "line 4: not valid YAML (expected <block end>, but found "),
    ("a: 'b\nc: 1\nd: 2\n", "line 1: not valid YAML (found unexpected end of stream)"),
    ("a: 1\n---\nb: 2\n", "line 2: not valid YAML (found another document); correct the line."),
    ("a: 1\nb: \x07", "line 2: not valid YAML (special characters are not allowed); correct"),
    (
        "a: {}\n\n{}\nb: {}",
        "line 3: not valid YAML (could not find expected ':'); remove {} from line 3.",
    ),
    ("{}\na: {}", "line 2: not valid YAML (expected '<document start>', but found "),
    ("{}\na: {}", "); remove {} from line 1."),
    ("a: {}\na: {}", "line 2: the key 'a' stands twice; keep one of the two."),
]


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_broken_yaml_is_refused_by_file_and_line(edit: Edit, text: str, told: str) -> None:
    folder = edit("runs.yaml", "base/trained", False)
    (folder / "runs.yaml").write_text(text)
    assert told in refusal(folder)
