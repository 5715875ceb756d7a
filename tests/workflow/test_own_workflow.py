"""Data of one's own in the workflow: the guide word for word, and what is asked for of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from edited_settings import edit
from own_pictures import write_photos
from snakemake_calls import ROOT, list_jobs, planned, snakemake

from samr1.config.merge import merge

# Of the guide: a file's name and what to put there, or a command.
STEP = re.compile(
    r"^```yaml\n# (?P<file>\S+)\n(?P<text>.*?)^```$"
    r"|^    (?P<command>(?:python|snakemake|samr1) [^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
GUIDE = (ROOT / "config" / "own_data.md").read_text(encoding="utf-8")
STORY, PAPER = GUIDE.split("## With a real model, on one card")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, as somebody has who begins; its trainings take few steps."""
    apart = shutil.ignore_patterns("results", ".*", "__pycache__", "my_photos")
    folder = Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("own") / "checkout", ignore=apart))
    few = {"group_size": 2, "questions_per_step": 40, "questions_per_update": 20}
    small = {"defaults": {"train": few}}
    edit(folder / "config/scales/micro.yaml", lambda micro: merge(micro, small))
    return folder


def follow(text: str, checkout: Path) -> Iterator[tuple[str, str]]:
    """Do what a part of the guide says; each command with what it printed."""
    paths = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout / "src"),
    }
    for step in STEP.finditer(text):
        if step["file"]:
            put(checkout / step["file"], step["text"])
            continue
        done = subprocess.run(
            ["bash", "-c", step["command"]],
            cwd=checkout,
            env=os.environ | paths,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{step['command']}\n{done.stdout[-5000:]}"
        yield step["command"], done.stdout


def put(file: Path, text: str) -> None:
    """Below what is in a file of settings, or in the place of nothing."""
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    file.write_text(before + "\n" + text if yaml.safe_load(before) else text, encoding="utf-8")


def test_the_guide_is_followed_word_for_word(checkout: Path) -> None:
    commands = dict(follow(STORY, checkout))
    assert [command.split()[0] for command in commands] == ["python", "snakemake", "samr1"]
    results = checkout / "results" / "micro"
    for place in re.findall(r"^\| `(\S+)` \|", STORY, re.MULTILINE):
        assert (results / place).exists(), place
    page = (results / "own/photos/index.html").read_text(encoding="utf-8")
    assert "<code>my_run</code> − <code>base</code>" in page
    assert "--policy results/micro/policies/my_run/seed_0" in page
    gallery = (results / "figures/gallery-photos.html").read_text(encoding="utf-8")
    assert '"runs":["base","my_run"]' in gallery
    parts = [
        set(pq.read_table(results / f"samples/{name}.parquet")["image_id"].to_pylist())
        for name in ("photos", "training_photos-all")
    ]
    assert [len(part) for part in parts] == [40, 160] and not parts[0] & parts[1]
    assert not (results / "world").exists()
    assert list((checkout / "segmented").glob("photo_0000*.json"))
    # A second time nothing is done, and after a mask was mended in its place everything.
    assert planned("own", checkout=checkout) == {}
    (checkout / "my_photos" / "masks" / "photo_0000.png").touch()
    again = planned("own", checkout=checkout)
    assert [again[rule] for rule in ("check_dataset", "index_own", "train_policy")] == [1, 2, 1]
    # On one card with a real model, what the guide says.
    for command, said in follow(PAPER, checkout):
        if command.startswith("snakemake"):
            plan = list_jobs(said)
            assert plan["check_dataset"] == plan["train_policy"] == plan["report_own"] == 1
            assert plan["predict_masks"] == 2 and "fetch_dataset" not in plan
        else:
            assert "It fits." in said and "train my_run" in said and "(60 × " in said


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Settings with a data set `photos` of eight pictures, and a run on it."""
    write_photos(tmp_path / "my_photos", 8)
    settings = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    photos = {"layout": "table", "root": str(tmp_path / "my_photos"), "file": "questions.csv"}
    edit(settings / "own_data.yaml", lambda own: own | {"photos": photos})
    edit(settings / "runs.yaml", lambda runs: runs | {"mine": {"data": "photos"}})
    return settings


def options(settings: Path) -> list[str]:
    results = settings.parent / "results"
    return ["--config", "scale=smoke", f"results={results}", f"config_dir={settings}"]


def test_a_page_needs_one_training_and_no_public_data(settings: Path) -> None:
    plan = planned("own", *options(settings))
    ones = ("check_dataset", "check_models", "train_policy", "compare_runs", "report_own")
    assert [plan[rule] for rule in ones] == [1] * 5
    twos = ("index_own", "resize_images", "predict_masks", "score_benchmark", "draw_figure")
    assert [plan[rule] for rule in twos] == [2] * 5
    assert not {"draw_world", "index_refer"} & set(plan)


def test_public_sets_may_score_a_run_on_own_data(settings: Path) -> None:
    both = [f"metrics/mine/seed_0/{name}.parquet" for name in ("photos", "refcocog_test")]
    targets = [f"{settings.parent}/results/smoke/{name}" for name in both]
    plan = planned(*targets, *options(settings))
    assert plan["train_policy"] == 1 and plan["predict_masks"] == plan["score_benchmark"] == 2
    assert plan["draw_world"] == plan["index_refer"] == 1


def test_wrong_data_stops_before_anything_is_trained(settings: Path) -> None:
    table = settings.parent / "my_photos" / "questions.csv"
    table.write_text(table.read_text().replace("masks/photo_0003.png", "masks/photo_3.png"))
    # Without these samples none begins; a part that is empty is refused as it is indexed.
    asked = [f"{settings.parent}/results/smoke/samples/training_photos-all.parquet"]
    asked += options(settings)
    plan = {"write_config": 2, "check_dataset": 1, "index_own": 2, "sample_training": 1}
    assert planned(*asked) == plan
    done = snakemake(*asked, "--cores", "1")
    assert done.code == 1
    (said,) = {line for line in done.text.splitlines() if line.startswith("error:")}
    assert "questions.csv, row 5" in said and "photo_3.png" in said
    assert said.endswith("own/photos/data/index.html.")
    assert not (settings.parent / "results/smoke/samples").exists()


def test_without_a_run_on_own_data_it_is_said_how_to_add_one(tmp_path: Path) -> None:
    done = snakemake("own", "--dry-run", "--config", "scale=smoke", f"results={tmp_path}")
    assert done.code == 1
    assert "no run of config/runs.yaml is trained on data of your own; add one" in done.text
