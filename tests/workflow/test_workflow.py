"""The workflow itself, at smoke scale: it runs to the end once, and then knows what is done."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from edited_settings import edit
from snakemake_calls import (
    ROOT,
    SCALE,
    changed_settings,
    options,
    planned,
    read_files,
    snakemake,
)

from samr1.config.jobs import (
    evaluate_gallery,
    evaluate_main,
    evaluate_table,
    find_study_seeds,
    list_trainings,
)
from samr1.config.merge import load_experiment, merge

EXPERIMENT = load_experiment(ROOT / "config", SCALE)
TABLES = len(EXPERIMENT.published.tables)
# What two runs must agree on, byte for byte: everything but logs, timings and TensorBoard's events.
RESULTS = (
    *("config", "samples", "images_84", "policies", "training"),
    *("predictions", "overlaps", "metrics"),
)


def embedded(report: str, name: str) -> Any:
    """A variable of a report's page."""
    start = re.search(rf'<script id="{name}">\s*var {name} = ', report)
    assert start, f"the report has no {name}"
    return json.JSONDecoder().raw_decode(report, start.end())[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a whole run."""
    results = tmp_path_factory.mktemp("finished") / "results"
    done = snakemake("--cores", "2", *options(results))
    assert done.code == 0, done.text[-5000:]
    return results


def test_all_five_tables_are_written(finished: Path) -> None:
    names = {path.name for path in (finished / SCALE / "tables").iterdir()}
    tables = {f"table_{n}.{kind}" for n in range(1, 6) for kind in ("parquet", "md", "html")}
    assert tables | {"README.md"} == names


def test_the_gallery_shows_every_benchmark(finished: Path) -> None:
    page = (finished / SCALE / "figures" / "gallery.html").read_text(encoding="utf-8")
    meta = json.loads(page.split('id="meta">')[1].split("</script>")[0])
    runs = {benchmark["name"]: benchmark["runs"] for benchmark in meta["benchmarks"]}
    shown = evaluate_gallery(EXPERIMENT)
    assert runs == {
        name: [one.run for one in shown if one.benchmark == name]
        for name in EXPERIMENT.main_benchmarks
    }
    assert runs["refcoco_testa"][:2] == ["sam_r1", "base"]


def test_every_trained_run_leaves_its_metrics_and_policy(finished: Path) -> None:
    runs = {path.parent.name for path in finished.glob(f"{SCALE}/training/*/seed_0.parquet")}
    policies = finished.glob(f"{SCALE}/policies/*/seed_0/model.safetensors")
    assert runs == {one.run for one in list_trainings(EXPERIMENT)}
    assert {path.parts[-3] for path in policies} == runs


def test_the_report_shows_every_figure_table_and_picture_with_a_caption(
    finished: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    done = snakemake("--report", str(report), *options(finished))
    assert done.code == 0, done.text
    text = report.read_text(encoding="utf-8")
    results, categories = (embedded(text, name) for name in ("results", "categories"))
    assert {"Figures", "Tables"} <= set(categories)
    assert text.count("javascript:app.showResultInfo(") == len(results)  # its first page's links
    assert all(result["labels"] and result["caption"] for result in results.values())
    assert any("Training curves: Table 4" in str(one["labels"]) for one in results.values())
    drawn = {path.stem for path in (finished / SCALE / "figures").glob("*.png")}
    shown = {Path(path).stem for path in results}
    assert drawn | {f"table_{number}" for number in range(1, 6)} <= shown
    figures = {path.stem for path in (finished / SCALE / "figures").glob("*.pdf")}
    assert drawn == figures and len(figures) == 6


def test_a_second_run_does_nothing(finished: Path) -> None:
    done = snakemake("--cores", "2", *options(finished))
    assert done.code == 0, done.text
    assert "Nothing to be done" in done.text


def test_code_makes_again_what_is_made_of_it_and_never_trains(
    finished: Path, tmp_path: Path
) -> None:
    apart = shutil.ignore_patterns("results", "tests", ".*")
    checkout = Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=apart))

    def planned_after(*changes: str) -> dict[str, int]:
        files = [checkout / "src/samr1" / change for change in changes]
        before = [file.stat() for file in files]
        for file in files:
            file.touch()
        plan = planned(*options(finished), checkout=checkout)
        for file, was in zip(files, before, strict=True):
            os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
        return plan

    # The tables' intervals, the scores' and the comparisons' are the bootstrap's.
    plan = planned_after("evaluation/bootstrap.py")
    assert plan["make_table"] == TABLES
    of_tables = (evaluate_table(EXPERIMENT, name) for name in EXPERIMENT.published.tables)
    assert plan["score_benchmark"] == len({*evaluate_main(EXPERIMENT)}.union(*of_tables))
    assert not {"train_policy", "predict_masks"} & set(plan)
    plan = planned_after("report/tables/clipping.py")
    assert plan["make_table"] == TABLES
    assert not {"score_benchmark", "compare_runs"} & set(plan)
    assert planned_after("train/loop.py", "rollout/sample.py", "app/model.py") == {}


def test_two_runs_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    metrics = f"{SCALE}/metrics/grpo/seed_0/refcocog_test.parquet"
    # By new interpreters, whose sets have an order of their own; forked ones share theirs.
    python = Path(sys.executable)
    done = snakemake(f"{tmp_path}/{metrics}", "--cores", "2", *options(tmp_path), python=python)
    assert done.code == 0, done.text[-5000:]
    for kind in RESULTS:
        first, again = (read_files(folder / SCALE / kind) for folder in (finished, tmp_path))
        assert again, f"{kind}: nothing was written"
        different = [name for name in again if again[name] != first[name]]
        assert not different, f"{kind}: {different} differ from one run to the next"


def test_studies_add_seeds_sweep_and_long_runs_to_what_is_done(finished: Path) -> None:
    plan = planned("studies", *options(finished))
    wanted = {(run, seed) for run, seeds in find_study_seeds(EXPERIMENT).items() for seed in seeds}
    assert plan["train_policy"] == len(wanted - {*list_trainings(EXPERIMENT)})
    assert plan["sample_training"] == plan["resize_images"] == 2  # the smaller draw and the larger
    assert plan["score_benchmark"] == 2 * plan["train_policy"]
    assert plan["collect_study"] == 1 and "make_table" not in plan


def test_a_benchmark_is_answered_the_same_by_its_own_job(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results")
    alone = {"evaluated_together": "benchmark"}
    settings = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    edit(settings / f"scales/{SCALE}.yaml", lambda scale: scale | alone)
    name = f"{SCALE}/predictions/base/seed_0/reasonseg_test.parquet"
    (results / name).unlink()  # a copied file alone would be anew or not by the second it is of
    asked = [f"{results}/{name}", *options(results, settings)]
    assert planned(*asked) == {"predict_masks": 1}
    done = snakemake(*asked, "--cores", "2")
    assert done.code == 0, done.text[-5000:]
    columns = ["sample_id", "text", "mask"]  # scores differ with the images of a batch
    ours, theirs = (pq.read_table(folder / name) for folder in (results, finished))
    assert ours.select(columns) == theirs.select(columns)
    assert not list((results / SCALE / "kept_predictions").rglob("*.parquet"))


def test_a_benchmark_that_all_does_not_show_a_run_on_is_answered_alone(finished: Path) -> None:
    alone = f"{finished}/{SCALE}/predictions/no_kl/seed_0/refcoco_testa.parquet"
    plan = {"write_config": 1, "predict_masks": 1, "copy_predictions": 1}
    assert planned(alone, *options(finished)) == plan


def test_data_that_is_there_is_indexed_without_fetching(finished: Path, tmp_path: Path) -> None:
    world = finished / SCALE / "world"
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "root", value=str(world))
    small = {"data": {"check_counts": False}}  # the drawn splits are smaller than the published
    edit(settings / "scales/paper.yaml", lambda scale: merge(scale, small))
    samples = "samples/refcocog_test.parquet"
    target = tmp_path / "results/paper" / samples
    told = options(tmp_path / "results", settings, scale="paper")
    before = read_files(world)
    done = snakemake(str(target), "--cores", "2", *told)
    assert done.code == 0, done.text[-5000:]
    assert target.read_bytes() == (finished / SCALE / samples).read_bytes()
    assert read_files(world) == before
    # Looking again whether the data is there indexes nothing again.
    plan = planned(str(target), "--forcerun", "fetch_dataset", *told)
    assert plan == {"fetch_dataset": 2}
