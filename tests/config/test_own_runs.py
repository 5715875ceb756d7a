"""A run names data of one's own: what it is trained on, beside what it stands, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from edited_settings import SETTINGS, edit

from samr1.config.jobs import (
    Evaluation,
    evaluate_own,
    find_base,
    list_comparisons,
    list_evaluations,
    list_other_prompts,
    list_own,
    list_trainings,
)
from samr1.config.merge import Experiment, load_experiment, merge
from samr1.core.errors import UserError

PHOTOS = {"layout": "table", "root": "my_photos", "file": "questions.csv"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The settings with a data set `photos`."""
    folder = Path(shutil.copytree(SETTINGS, tmp_path / "config"))
    edit(folder / "own_data.yaml", lambda own: own | {"photos": PHOTOS})
    return folder


def load(folder: Path, scale: str = "micro", **runs: dict[str, Any]) -> Experiment:
    edit(folder / "runs.yaml", lambda there: there | runs)
    return load_experiment(folder, scale)


def test_all_of_the_data_is_drawn_unless_the_run_says_a_number(folder: Path) -> None:
    some = {"data": "photos", "train": {"samples": 100, "samples_factor": 0.5}}
    steps = {"data": "photos", "train": {"steps": 7}}
    runs = load(folder, whole={"data": "photos"}, some=some, steps=steps, none={"data": None}).runs
    drawn = [runs[name].train.drawn_samples for name in ("whole", "some", "steps", "none")]
    assert drawn == [None, 50, None, 640] and runs["none"].train == runs["sam_r1"].train
    assert runs["steps"].train.steps == 7


def test_own_data_is_evaluated_beside_its_base_and_no_part_of_all(folder: Path) -> None:
    before = load(folder)
    experiment = load(folder, mine={"data": "photos"}, other={"data": "photos", "threads": 2})
    assert list_own(experiment) == {"photos": ["mine", "other"]}
    assert evaluate_own(experiment, "photos") == [
        Evaluation(run, 0, "photos") for run in ("base", "mine", "other")
    ]
    assert list_comparisons(experiment)["base", "photos"] == ["mine", "other"]
    for list_all in (list_evaluations, list_trainings):
        assert list_all(experiment) == list_all(before)


def test_every_seed_of_a_trained_run_is_evaluated(folder: Path) -> None:
    edit(folder / "scales/micro.yaml", lambda scale: scale | {"seeds": [0, 7]})
    found = evaluate_own(load(folder, mine={"data": "photos"}), "photos")
    assert [(one.run, one.seed) for one in found] == [("base", 0), ("mine", 0), ("mine", 7)]


def test_the_base_is_the_same_policy_untrained_and_asked_alike_where_one_is(folder: Path) -> None:
    listed = {"data": "photos", "dialect": "vision_reasoner"}
    pointed = {"data": "photos", "dialect": "sam_r1_points"}
    experiment = load(folder, listed=listed, pointed=pointed)
    assert find_base(experiment, "listed") == "tiny_vision_reasoner"
    assert find_base(experiment, "pointed") == "base"
    asked = list_other_prompts(experiment, "photos")
    assert asked == [("base", "sam_r1", "pointed", "sam_r1_points")]
    # For which public benchmarks an untrained run is, says nothing of one's own data.
    assert Evaluation("tiny_vision_reasoner", 0, "photos") in evaluate_own(experiment, "photos")


@pytest.mark.parametrize(
    "differing",
    [
        {"policy": {"path": "elsewhere"}},
        {"policy": {"image_size": 112}},
        {"segmenter": {"image_size": 256}},
        {"evaluation": {"max_response_tokens": 32}},
    ],
)
def test_a_run_that_no_untrained_one_answers_like_is_refused(
    folder: Path, differing: dict[str, Any]
) -> None:
    same = {"policy": {"train_vision": True}, "evaluation": {"batch_size": 2}}
    mine = merge(same, {"data": "photos", **differing})
    with pytest.raises(UserError) as error:
        list_comparisons(load(folder, mine=mine, alike={"data": "photos", **same}))
    assert str(error.value) == (
        "run mine: no untrained run has its policy.path, image_size and dtype, its segmenter and "
        "its evaluation.max_response_tokens, to show what it is before training; add one to "
        "runs.yaml: mine_base: {trained: false} with what mine says of `policy`, `segmenter` and "
        "`evaluation`."
    )
    experiment = load(folder, mine_base={"trained": False, **differing})
    assert list_comparisons(experiment)["mine_base", "photos"] == ["mine"]
    assert find_base(experiment, "alike") == "base"


@pytest.mark.parametrize(
    ("own", "run", "refused"),
    [
        (
            "photos",
            {"data": "fotos"},
            'runs.yaml: run mine: data = "fotos": there is no such data set in OWN; there are '
            "photos.",
        ),
        (
            "photos",
            {"data": "photos", "trained": False},
            'runs.yaml: run mine: data = "photos": must be left out where trained is false; it is '
            "tried on what others learn.",
        ),
        (
            "photos",
            {"data": "photos", "train": {"samples_factor": 0.5}},
            "runs.yaml: run mine: train.samples_factor = 0.5: must be left out where train.samples "
            "is null, which draws all; give a number.",
        ),
        (
            "photos",
            {"train": {"samples": None}},
            "runs.yaml: run mine: train.samples = null: must be a number without data of one's "
            "own.",
        ),
        (
            "refcocog_test",
            {},
            "own_data.yaml: refcocog_test: is the name of a benchmark; choose another.",
        ),
        (
            "refcocog",
            {},
            "own_data.yaml: refcocog: is the name of a public data set; choose another.",
        ),
        (
            "training_640",
            {},
            "own_data.yaml: training_640: is the name of a table of the workflow's own; choose "
            "another.",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    folder: Path, own: str, run: dict[str, Any], refused: str
) -> None:
    edit(folder / "own_data.yaml", lambda _: {own: PHOTOS})
    with pytest.raises(UserError) as error:
        load(folder, mine=run)
    said = str(error.value).replace(f"{folder}/own_data.yaml; ", "OWN; ")
    assert said.replace(f"{folder}/", "") == refused
