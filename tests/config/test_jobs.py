"""What is trained, evaluated and compared, of the configuration as it is and with a line more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from edited_settings import SETTINGS, edit

from samr1.config.jobs import (
    Evaluation,
    Training,
    compare_table,
    evaluate_gallery,
    evaluate_table,
    find_study_seeds,
    list_comparisons,
    list_curves,
    list_evaluations,
    list_trainings,
)
from samr1.config.merge import Experiment, load_experiment
from samr1.core.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SETTINGS, tmp_path / "config"))


def add_run(folder: Path, table: str, name: str, run: str) -> None:
    def add(published: dict) -> dict:
        published["tables"][table].setdefault("extra", []).append({"name": name, "run": run})
        return published

    edit(folder / "published.yaml", add)


@pytest.mark.parametrize("scale", ["micro", "smoke", "paper"])
def test_all_that_a_table_shows_is_trained_and_evaluated_once(scale: str) -> None:
    experiment = load_experiment(SETTINGS, scale)
    trainings, evaluations = list_trainings(experiment), list_evaluations(experiment)
    assert len(trainings) == len(set(trainings)) and len(evaluations) == len(set(evaluations))
    trained = {one.run for one in trainings}
    evaluated = {(one.run, one.benchmark) for one in evaluations}
    for table in experiment.published.tables.values():
        for name in table.labels:
            run = experiment.runs[name]
            assert (name in trained) == run.trained
            wanted = set(table.benchmarks) & set(run.benchmarks or table.benchmarks)
            assert {(name, benchmark) for benchmark in wanted} <= evaluated


def test_every_seed_of_trained_runs_and_one_of_others(folder: Path) -> None:
    once = list_trainings(load_experiment(folder, "micro"))
    edit(folder / "scales/micro.yaml", lambda scale: scale | {"seeds": [0, 7]})
    experiment = load_experiment(folder, "micro")
    assert {*list_trainings(experiment)} == {*once, *(Training(one.run, 7) for one in once)}
    on_test = [one for one in list_evaluations(experiment) if one.benchmark == "reasonseg_test"]
    assert {one.seed for one in on_test if one.run == "base"} == {0}
    assert {one.seed for one in on_test if one.run == "grpo"} == {0, 7}
    assert {one.seed for one in evaluate_gallery(experiment)} == {0}


def with_a_run_in_table_4(folder: Path) -> Experiment:
    edit(folder / "runs.yaml", lambda runs: runs | {"steep": {"train": {"kl_coef": 0.5}}})
    assert Training("steep", 0) not in list_trainings(load_experiment(folder, "micro"))
    add_run(folder, "table_4", "Steep", "steep")
    return load_experiment(folder, "micro")


def test_a_new_run_in_a_table_is_one_line_of_configuration(folder: Path) -> None:
    experiment = with_a_run_in_table_4(folder)
    assert Training("steep", 0) in list_trainings(experiment)
    benchmarks = ("reasonseg_test", "refcocog_test")
    mine = [one for one in list_evaluations(experiment) if one.run == "steep"]
    assert mine == [Evaluation("steep", 0, benchmark) for benchmark in benchmarks]
    assert set(mine) <= set(evaluate_table(experiment, "table_4"))
    assert set(mine) <= set(evaluate_gallery(experiment))
    compared = list_comparisons(experiment)
    assert all("steep" in compared["sam_r1", benchmark] for benchmark in benchmarks)
    curves = list_curves(experiment)
    assert "steep" in curves["table_4"] and "steep" not in curves["table_5"]
    assert find_study_seeds(experiment)["steep"] == tuple(range(10))


def test_every_sentence_is_asked_of_the_base_and_the_method_alone(folder: Path) -> None:
    experiment = load_experiment(folder, "paper")
    every = experiment.published.tables["table_2"].every_sentence
    assert {experiment.benchmarks[name].sentences for name in every.values()} == {"all"}
    asked = [one for one in list_evaluations(experiment) if one.benchmark in every.values()]
    assert {one.run for one in asked} == {"base", "sam_r1"} and len(asked) == 2 * len(every) == 6
    assert set(asked) <= set(evaluate_table(experiment, "table_2"))
    assert not set(asked) & set(evaluate_gallery(experiment))
    assert set(experiment.main_benchmarks) == set(experiment.benchmarks) - set(every.values())
    # A mirror has one sentence a ref.
    edit(
        folder / "scales/paper.yaml",
        lambda scale: scale | {"data": scale["data"] | {"layout": "mirror"}},
    )
    mirrored = load_experiment(folder, "paper")
    assert list(mirrored.benchmarks) == experiment.main_benchmarks == mirrored.main_benchmarks
    assert set(list_evaluations(mirrored)) == set(list_evaluations(experiment)) - set(asked)


def test_an_untrained_run_is_evaluated_and_never_trained(folder: Path) -> None:
    before = list_trainings(load_experiment(folder, "micro"))
    add_run(folder, "table_4", "Seg-Zero's prompt", "tiny_seg_zero")
    experiment = load_experiment(folder, "micro")
    assert list_trainings(experiment) == before
    shown = [one for one in evaluate_table(experiment, "table_4") if one.run == "tiny_seg_zero"]
    assert shown == [Evaluation("tiny_seg_zero", 0, "reasonseg_test")]  # the one that it is for
    assert "tiny_seg_zero" not in {
        *find_study_seeds(experiment),
        *list_curves(experiment)["table_4"],
    }


def test_a_gain_is_over_the_base_and_an_ablation_from_the_method() -> None:
    experiment = load_experiment(SETTINGS, "micro")
    gain = experiment.published.tables["table_1"].gain_on
    gained = {("base", benchmark): ["sam_r1"] for benchmark in gain}
    assert compare_table(experiment, "table_1") == gained
    assert {baseline for baseline, _ in compare_table(experiment, "table_4")} == {"sam_r1"}
    assert compare_table(experiment, "table_3") == {}
    assert list_comparisons(experiment)["base", "refcocog_test"] == ["sam_r1"]


def test_a_table_may_hold_its_runs_against_the_base(folder: Path) -> None:
    file = folder / "published.yaml"
    text = file.read_text(encoding="utf-8").replace("with: sam_r1\n", "with: base\n", 1)
    file.write_text(text, encoding="utf-8")
    experiment = load_experiment(folder, "micro")
    labels = experiment.published.tables["table_4"].labels
    for benchmark in ("reasonseg_test", "refcocog_test"):
        assert compare_table(experiment, "table_4")["base", benchmark] == list(labels)
        compared = list_comparisons(experiment)["base", benchmark]
        assert {*compared} == {*labels, "sam_r1"} and len(compared) == len({*compared})


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ("kl: [sam_r1, no_kl]", "kl: [sam_r1, no_lk]", "figures.figure_4: there is no run no_lk"),
        ("larger: sam_r1_3x", "larger: sam_r1_9x", "claims: there is no run sam_r1_9x"),
        ("with: sam_r1\n", "with: samr1\n", "tables.table_4: there is no run samr1"),
        ("run: threshold_0.7", "run: treshold_0.7", "tables.table_4: there is no run treshold_0.7"),
        ("run: tiny_qwen", "run: tiny_kwen", "tables.table_1: there is no run tiny_kwen; add it"),
        ("benchmark: refcoco_testa", "benchmark: testa", "tables.table_2: there is no benchmark"),
        ("refcoco: refcoco_testa_all", "refcoco: all", "tables.table_2: there is no benchmark all"),
        ("refcoco: refcoco_testa_all", "testa: x", 'tables.table_2.every_sentence = "testa": must'),
        ("compared_with", "overlap: false #", 'tables = ["table_1", "table_2", '),
        ("gain_on:", "gain_in:", "tables.table_1.gain_in: unknown key; the nearest allowed key is"),
    ],
)
def test_a_name_that_is_not_there_is_refused(
    folder: Path, old: str, new: str, refused: str
) -> None:
    file = folder / "published.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_experiment(folder, "micro")
    assert f"published.yaml: {refused}" in str(error.value)
