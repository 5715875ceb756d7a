"""What a changed setting makes anew and what it does not, where all is made, or pretends to be."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml
from edited_settings import copy_settings, edit
from snakemake_calls import ROOT, SCALE, changed_settings, options, planned, pretend, snakemake

from samr1.config.jobs import list_evaluations, list_trainings
from samr1.config.merge import load_experiment, merge

EXPERIMENT = load_experiment(ROOT / "config", SCALE)
TRAININGS = len(list_trainings(EXPERIMENT))
EVALUATIONS = list_evaluations(EXPERIMENT)
ANSWERING = {one.run for one in EVALUATIONS}
ANSWERING_REFCOCOG = {one.run for one in EVALUATIONS if one.benchmark == "refcocog_test"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything, as Snakemake knows it."""
    folder = tmp_path_factory.mktemp("pretended") / "results"
    pretend(*options(folder))
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second clone, whose Snakemake knows nothing of what the first one made."""
    apart = shutil.ignore_patterns("results", "tests", ".*")
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("clone") / "checkout", ignore=apart))


def test_what_is_made_is_made_in_every_clone(results: Path, clone: Path) -> None:
    assert planned(*options(results)) == planned(*options(results), checkout=clone) == {}


@pytest.mark.parametrize(
    ("file", "path", "value", "again"),
    [
        ("runs.yaml", "no_kl/train/kl_coef", 0.001, {"train_policy": 1, "predict_masks": 0}),
        (
            "scales/micro.yaml",
            "data/training/seed",
            1,
            {"sample_training": 1, "train_policy": TRAININGS},
        ),
        (
            "benchmarks.yaml",
            "refcocog_test/sentences",
            "all",
            {"index_refer": 1, "predict_masks": len(ANSWERING_REFCOCOG), "train_policy": 0},
        ),
        (
            "scales/micro.yaml",
            "defaults/evaluation/batch_size",
            8,
            {"resize_images": 0, "predict_masks": len(ANSWERING), "train_policy": 0},
        ),
    ],
)
def test_what_a_setting_changes_is_made_anew_by_a_clone_that_has_not_made_it(
    results: Path,
    clone: Path,
    tmp_path: Path,
    file: str,
    path: str,
    value: object,
    again: dict[str, int],
) -> None:
    settings = changed_settings(tmp_path, file, *path.split("/"), value=value)
    plan = planned(*options(results, settings), checkout=clone)
    assert {rule: plan.get(rule, 0) for rule in again} == again
    assert planned(*options(results, settings)) == plan


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        # The models are looked at as that run has them.
        ({"train": {"kl_coef": 0.1}}, {"write_config": 2, "check_models": 1}),
        ({"policy": {"image_size": 112}}, {}),
    ],
)
def test_a_run_above_the_others_trains_none_of_them_anew(
    results: Path, tmp_path: Path, changes: dict[str, object], again: dict[str, int]
) -> None:
    settings = tmp_path / "config"
    copy_settings(settings)
    edit(settings / "runs.yaml", lambda runs: {"mine": changes} | runs)
    assert planned(*options(results, settings)) == again


def test_what_changes_no_result_makes_nothing_anew(results: Path, tmp_path: Path) -> None:
    change = copy_settings(tmp_path / "config")
    change("scales/micro.yaml", "processes", 2)
    change("scales/micro.yaml", "defaults/train/checkpoint_steps", 3)
    settings = change("scales/micro.yaml", "data/check_counts", False)
    assert planned(*options(results, settings)) == {}


def test_data_that_moved_is_looked_for_and_trains_nothing_anew(tmp_path: Path) -> None:
    results = tmp_path / "results"
    change = copy_settings(tmp_path / "config")
    settings = change("scales/paper.yaml", "data/root", str(tmp_path / "here"))
    asked = [f"{results}/paper/policies/sam_r1/seed_0", *options(results, settings, "paper")]
    pretend(*asked)
    change("scales/paper.yaml", "data/root", str(tmp_path / "there"))
    assert set(planned(*asked)) == {"fetch_dataset"}
    assert snakemake(*asked, "--touch", "--cores", "1").code == 0
    assert planned(*asked) == {}
    # A subset is its folder's.
    change("scales/paper.yaml", "data/check_counts", False)
    assert planned(*asked)["train_policy"] == 1


def test_many_benchmarks_have_short_names(tmp_path: Path) -> None:
    settings = tmp_path / "config"
    copy_settings(settings)
    one = yaml.safe_load((settings / "benchmarks.yaml").read_text())["reasonseg_test"]
    many = {f"reasonseg_test_{number}_{'again_' * 10}": one for number in range(6)}
    edit(settings / "benchmarks.yaml", lambda benchmarks: benchmarks | many)
    plan = snakemake("--dry-run", *options(tmp_path / "results", settings))
    assert plan.code == 0, plan.text[-5000:]
    jobs = plan.text.split("rule predict_masks:")[1:]
    assert len(jobs) == len(ANSWERING)
    names = re.findall(r"[^\s/,]+", "".join(job.split("jobid:")[0] for job in jobs))
    assert max(map(len, names)) < 120


def test_a_run_may_begin_as_one_that_is_trained_first(tmp_path: Path) -> None:
    results = tmp_path / "results"
    first = results / SCALE / "policies/sam_r1/seed_0"
    again = {"again": {"policy": {"path": str(first)}}}
    settings = tmp_path / "config"
    copy_settings(settings)
    edit(settings / "runs.yaml", lambda runs: merge(runs, again))
    asked = [f"{results}/{SCALE}/policies/again/seed_0", *options(results, settings)]
    assert planned(*asked)["train_policy"] == 2
    pretend(*asked)
    (first / "model.safetensors").touch()
    assert planned(*asked) == {}
