"""The workflow itself, at smoke scale: it runs to the end once, and then knows what is done."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fetch_server import serve_folder
from PIL import Image
from snakemake_calls import ROOT, edit, read_files, snakemake

from samr1.config.datasets import load_datasets
from samr1.config.jobs import (
    evaluate_gallery,
    evaluate_table,
    find_study_seeds,
    list_comparisons,
    list_evaluations,
    list_trainings,
)
from samr1.config.merge import load_experiment, merge

SCALE = "smoke"
EXPERIMENT = load_experiment(ROOT / "config", SCALE)
TABLES = len(EXPERIMENT.published.tables)
# What two runs must agree on, byte for byte: everything but logs, timings and TensorBoard's events.
RESULTS = (
    *("config", "samples", "images", "policies", "training"),
    *("predictions", "overlaps", "metrics"),
)


def options(results: Path, settings: Path | str = "config", scale: str = SCALE) -> list[str]:
    """The configuration of one workflow: where it writes, and what settings it reads."""
    return ["--config", f"scale={scale}", f"results={results}", f"config_dir={settings}"]


def jobs(output: str) -> dict[str, int]:
    """How many jobs of each rule a dry run announces."""
    table = output.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def planned(*arguments: str, checkout: Path = ROOT) -> dict[str, int]:
    """The jobs of a dry run."""
    done = snakemake(*arguments, "--dry-run", "--quiet", "rules", checkout=checkout)
    assert done.code == 0, done.text
    return {} if "Nothing to be done" in done.text else jobs(done.text)


def changed_settings(folder: Path, file: str, *path: str, value: object) -> Path:
    """A copy of the settings with one value changed."""
    settings = folder / "config"
    shutil.copytree(ROOT / "config", settings)

    def change(document: dict[str, Any]) -> dict[str, Any]:
        place = document
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value
        return document

    edit(settings / file, change)
    return settings


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
    names = {path.name for path in (finished / "tables").iterdir()}
    tables = {f"table_{n}.{kind}" for n in range(1, 6) for kind in ("parquet", "md", "html")}
    assert tables | {"README.md"} == names


def test_the_gallery_shows_every_benchmark(finished: Path) -> None:
    page = (finished / SCALE / "figures" / "gallery.html").read_text(encoding="utf-8")
    meta = json.loads(page.split('id="meta">')[1].split("</script>")[0])
    runs = {benchmark["name"]: benchmark["runs"] for benchmark in meta["benchmarks"]}
    shown = evaluate_gallery(EXPERIMENT)
    assert runs == {
        name: [one.run for one in shown if one.benchmark == name] for name in EXPERIMENT.benchmarks
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
    assert all(result["labels"] and result["caption"] for result in results.values())
    assert any("Training curves: Table 4" in str(one["labels"]) for one in results.values())
    drawn = {path.stem for path in (finished / SCALE / "figures").glob("*.png")}
    shown = {Path(path).stem for path in results}
    assert drawn | {f"table_{number}" for number in range(1, 6)} <= shown
    figures = {path.stem for path in (finished / SCALE / "figures").glob("*.pdf")}
    assert drawn == figures and len(figures) == 8


def test_a_second_run_does_nothing(finished: Path) -> None:
    done = snakemake("--cores", "2", *options(finished))
    assert done.code == 0, done.text
    assert "Nothing to be done" in done.text


def test_code_makes_again_what_is_made_of_it_and_never_trains(
    finished: Path, tmp_path: Path
) -> None:
    apart = shutil.ignore_patterns("results", "tests", ".*")
    checkout = Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=apart))

    def planned_after(change: str) -> dict[str, int]:
        file = checkout / "src/samr1" / change
        before = file.stat()
        file.touch()
        plan = planned(*options(finished), checkout=checkout)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        return plan

    # The tables' intervals, the scores' and the comparisons' are the bootstrap's.
    plan = planned_after("evaluation/bootstrap.py")
    assert plan["make_table"] == TABLES
    assert plan["score_benchmark"] == len(evaluate_gallery(EXPERIMENT))
    assert not {"train_policy", "predict_masks"} & set(plan)
    plan = planned_after("report/tables/clipping.py")
    assert plan["make_table"] == TABLES
    assert not {"score_benchmark", "compare_runs"} & set(plan)
    for elsewhere in ("train/loop.py", "rollout/sample.py", "app/model.py"):
        assert planned_after(elsewhere) == {}


def test_a_changed_benchmark_is_scored_again_without_training(
    finished: Path, tmp_path: Path
) -> None:
    settings = changed_settings(
        tmp_path, "benchmarks.yaml", "refcocog_test", "sentences", value="all"
    )
    plan = planned(*options(finished, settings))
    assert plan["index_refer"] == 1
    asked = [one for one in list_evaluations(EXPERIMENT) if one.benchmark == "refcocog_test"]
    assert plan["predict_masks"] == len(asked)
    assert not {"draw_world", "sample_training", "train_policy"} & set(plan)


def test_a_changed_evaluation_predicts_again_without_training(
    finished: Path, tmp_path: Path
) -> None:
    settings = changed_settings(
        tmp_path, "scales/micro.yaml", "defaults", "evaluation", "batch_size", value=8
    )
    plan = planned(*options(finished, settings))
    assert plan["predict_masks"] == len(list_evaluations(EXPERIMENT))
    assert not {"draw_world", "resize_images", "train_policy"} & set(plan)


def test_a_changed_run_retrains_itself_alone(finished: Path, tmp_path: Path) -> None:
    settings = changed_settings(tmp_path, "runs.yaml", "no_kl", "train", value={"kl_coef": 0.001})
    plan = planned(*options(finished, settings))
    assert plan["train_policy"] == 1
    assert "predict_masks" not in plan


def test_two_runs_give_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    metrics = f"{SCALE}/metrics/sam_r1/seed_0/reasonseg_test.parquet"
    done = snakemake(f"{tmp_path}/{metrics}", "--cores", "2", *options(tmp_path))
    assert done.code == 0, done.text[-5000:]
    for kind in RESULTS:
        first, again = (read_files(folder / SCALE / kind) for folder in (finished, tmp_path))
        assert again, f"{kind}: nothing was written"
        different = [name for name in again if again[name] != first[name]]
        assert not different, f"{kind}: {different} differ from one run to the next"


def test_ablations_are_tables_4_and_5_and_the_runs_of_figure_4(tmp_path: Path) -> None:
    published, points = EXPERIMENT.published, EXPERIMENT.published.figures.figure_4
    asked = {one for name in published.ablations for one in evaluate_table(EXPERIMENT, name)}
    runs = {run for table in published.ablations.values() for run in table.labels}
    plan = planned("ablations", *options(tmp_path))
    assert plan["train_policy"] == len(runs | {*points.runs})
    assert plan["predict_masks"] == len(asked) + 2  # the point rewards' on one benchmark
    assert plan["make_table"] == len(published.ablations) and plan["draw_figure"] == 1
    one = planned("table_4", *options(tmp_path))
    compared = list_comparisons(EXPERIMENT)["sam_r1", "reasonseg_test"]
    assert one["make_table"] == 1 and one["train_policy"] == len({"sam_r1", *compared})


def test_studies_add_seeds_sweep_and_long_runs_to_what_is_done(finished: Path) -> None:
    plan = planned("studies", *options(finished))
    wanted = {(run, seed) for run, seeds in find_study_seeds(EXPERIMENT).items() for seed in seeds}
    assert plan["train_policy"] == len(wanted - {*list_trainings(EXPERIMENT)})
    assert plan["sample_training"] == plan["resize_images"] == 2  # the smaller draw and the larger
    assert plan["score_benchmark"] == 2 * plan["train_policy"]
    assert plan["collect_study"] == 1 and "make_table" not in plan


def test_an_invented_systems_files_are_imported_scored_and_shown(tmp_path: Path) -> None:
    masks, boxes = tmp_path / "masks", tmp_path / "boxes.json"
    masks.mkdir()
    boxes.write_text("[]")
    invented = {
        "label": "Invented",
        "scales": [SCALE],
        "predictions": {"refcoco_testa": str(masks), "lisa_grounding": str(boxes)},
    }
    settings = changed_settings(tmp_path, "baselines.yaml", "invented", value=invented)
    with_it = planned(*options(tmp_path / "results", settings))
    without = planned(*options(tmp_path / "results"))
    assert with_it["import_predictions"] == 2  # Tables 2 and 3
    assert with_it["score_benchmark"] == without["score_benchmark"] + 2
    assert with_it["predict_masks"] == without["predict_masks"]


def test_paper_scale_is_the_same_graph_in_shards_with_fetched_data(tmp_path: Path) -> None:
    root = tmp_path / "data"  # not there yet, and not made by planning
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "root", value=str(root))
    paper = planned(*options(tmp_path / "results", settings, scale="paper"))
    micro = planned(*options(tmp_path / "results", settings, scale="micro"))
    assert set(micro) - set(paper) == {"draw_world"}
    assert set(paper) - set(micro) == {
        *("fetch_dataset", "gather_predictions", "predict_grounding_dino")
    }
    assert paper["fetch_dataset"] == len(load_datasets(settings / "datasets.yaml"))
    assert paper["train_policy"] == micro["train_policy"] == len(list_trainings(EXPERIMENT))
    evaluations = list_evaluations(load_experiment(settings, "paper"))
    # A job a model, which is loaded once for all of its benchmarks.
    assert paper["predict_masks"] == len({one.run for one in evaluations})
    assert paper["gather_predictions"] == len(evaluations)


def test_a_run_of_another_image_size_has_images_of_its_own_and_is_run_when_asked_for(
    tmp_path: Path,
) -> None:
    root, results = tmp_path / "data", tmp_path / "results"
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "root", value=str(root))
    told = options(results, settings, "paper")
    everything = snakemake("--dry-run", *told)
    assert everything.code == 0, everything.text
    assert "qwen3vl" not in everything.text and "images_" not in everything.text
    paper = results / "paper"
    runs = ("sam_r1_qwen3vl_8b", "sam_r1")
    wanted = [str(paper / f"policies/{run}/seed_0") for run in runs]
    wanted.append(str(paper / "metrics/qwen3vl_8b_plain/seed_0/reasonseg_val.parquet"))
    plan = snakemake(*wanted, "--dry-run", "--printshellcmds", *told)
    assert plan.code == 0, plan.text
    made = re.findall(r"--image-size (\d+) --output \S+/paper/(\S+)", plan.text)
    assert sorted(made) == [
        ("832", "images_832/reasonseg_val.parquet"),
        ("832", "images_832/training_3000.parquet"),
        ("840", "images/training_3000.parquet"),
    ]


def test_one_job_answers_all_benchmarks_of_a_run_where_the_scale_says_so(
    finished: Path, tmp_path: Path
) -> None:
    results = shutil.copytree(finished, tmp_path / "results")
    settings = changed_settings(tmp_path, "scales/micro.yaml", "evaluated_together", value="run")
    edit(settings / "scales/micro.yaml", lambda micro: micro | {"evaluation_shards": 2})
    asked = ("reasonseg_test", "lisa_grounding")
    names = [f"{SCALE}/predictions/base/seed_0/{name}.parquet" for name in asked]
    targets = [f"{results}/{name}" for name in names]
    told = options(results, settings)
    assert planned(*targets, *told) == {"predict_masks": 2, "gather_predictions": 2}
    done = snakemake(*targets, "--cores", "2", *told)
    assert done.code == 0, done.text[-5000:]
    columns = ["sample_id", "text", "mask"]  # scores differ with the images of a batch
    for name in names:
        ours, theirs = (pq.read_table(folder / name) for folder in (results, finished))
        assert ours.select(columns) == theirs.select(columns)
    assert not list((results / SCALE / "kept_predictions").rglob("*.parquet"))
    # A benchmark that `all` does not show the run on is answered alone.
    alone = f"{results}/{SCALE}/predictions/no_kl/seed_0/refcoco_testa.parquet"
    plan = {"write_config": 1, "predict_masks": 2, "gather_predictions": 1}
    assert planned(alone, *told) == plan


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


def test_data_that_lacks_is_fetched_once_and_alone(tmp_path: Path) -> None:
    served, root = tmp_path / "served", tmp_path / "data"
    served.mkdir()
    with zipfile.ZipFile(served / "refcoco.zip", "w") as archive:
        archive.writestr("refcoco/instances.json", "{}")
        archive.writestr("refcoco/refs(unc).p", b"refs")
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "root", value=str(root))
    with serve_folder(served) as server:
        content = (served / "refcoco.zip").read_bytes()
        pinned = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        place = {"url": f"{server.address}/refcoco.zip", "to": "refcoco", "unpack": True}
        files = [place | pinned]
        edit(settings / "datasets.yaml", lambda all: merge(all, {"refcoco": {"files": files}}))
        target = [str(tmp_path / "results/paper/fetched/refcoco.json")]
        target += options(tmp_path / "results", settings, scale="paper")
        done = snakemake("--cores", "1", *target)
    assert done.code == 0, done.text[-5000:]
    assert read_files(root) == {
        "refcoco/instances.json": b"{}",
        "refcoco/refs(unc).p": b"refs",
    }
    (settings / "datasets.yaml").touch()  # an edit fetches nothing again
    assert planned(*target) == {}


def test_fetching_is_refused_where_the_world_is_drawn(tmp_path: Path) -> None:
    done = snakemake("fetch", "--dry-run", *options(tmp_path))
    assert done.code == 1
    assert f"scale={SCALE} draws its data and fetches none; add --config scale=paper." in done.text


@pytest.fixture
def mirror_settings(tmp_path: Path) -> Path:
    """The paper's settings, with the benchmarks read from mirrors below a root that is empty."""
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "layout", value="mirror")
    (tmp_path / "data").mkdir()
    here = {"data": {"root": str(tmp_path / "data"), "check_counts": False}}
    edit(settings / "scales/paper.yaml", lambda scale: merge(scale, here))
    return settings


def test_mirrors_take_the_place_of_files_and_are_planned_before_they_are_there(
    mirror_settings: Path, tmp_path: Path
) -> None:
    plan = planned(*options(tmp_path / "results", mirror_settings, scale="paper"))
    # The pool, and LISA-Grounding's first shapes, are in no mirror.
    counts = {"unpack_mirror": 5, "index_mirror": 5, "index_refer": 1, "index_lisa_grounding": 1}
    assert plan | counts == plan
    assert "index_reasonseg" not in plan
    assert plan["resize_images"] == 7


def test_a_mirror_is_unpacked_and_indexed_once(mirror_settings: Path, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (6, 4)).save(picture, format="PNG")
    row = {
        "image": {"bytes": picture.getvalue(), "path": "a.jpg"},
        "text": "the thing that rolls",
        "mask": [[True] * 6] * 4,
        "image_id": "a",
        "ann_id": "a",
    }
    folder = tmp_path / "data" / "mirrors" / "Ricky06662--ReasonSeg_val"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row]), folder / "test.parquet")
    samples = f"{tmp_path}/results/paper/samples/reasonseg_val.parquet"
    command = [samples, "--cores", "1", *options(tmp_path / "results", mirror_settings, "paper")]
    done = snakemake(*command)
    assert done.code == 0, done.text
    (image_path,) = pq.read_table(samples)["image_path"].to_pylist()
    assert image_path == "mirror_images/Ricky06662--ReasonSeg_val/a.png"
    assert (tmp_path / "data" / image_path).read_bytes() == picture.getvalue()
    assert planned(*command) == {}


def test_a_bad_value_stops_the_workflow_with_one_sentence(tmp_path: Path) -> None:
    settings = changed_settings(tmp_path, "runs.yaml", "grpo", "train", "clip_high", value=0.1)
    done = snakemake("--cores", "2", *options(tmp_path / "results", settings))
    assert done.code == 1
    said = [line for line in done.text.splitlines() if line.startswith("error:")]
    assert said == [
        f"error: {settings}/runs.yaml: run grpo: train.clip_high = 0.1: must be >= clip_low (0.2)."
    ]
    assert "Traceback" not in done.text
    assert not (tmp_path / "results").exists()


def test_a_run_that_the_workflow_asks_for_cannot_be_removed(tmp_path: Path) -> None:
    settings = settings_without(tmp_path, "no_kl")
    done = snakemake("--dry-run", *options(tmp_path / "results", settings))
    assert done.code == 1
    (said,) = [line for line in done.text.splitlines() if line.startswith("error:")]
    assert "published.yaml: figures.figure_4: there is no run no_kl at this scale; add it" in said
    assert "Traceback" not in done.text


def test_a_public_checkpoint_may_be_left_out(tmp_path: Path) -> None:
    root = tmp_path / "data"
    settings = changed_settings(tmp_path, "runs.yaml", "qwen2.5vl_3b", "scales", value=[])
    edit(
        settings / "scales" / "paper.yaml",
        lambda paper: merge(paper, {"data": {"root": str(root)}}),
    )
    plan = snakemake("--dry-run", *options(tmp_path / "results", settings, "paper"))
    assert plan.code == 0, plan.text
    assert "make_table" in plan.text and "qwen2.5vl_3b/" not in plan.text


def settings_without(folder: Path, run: str) -> Path:
    """A copy of `config/` without one run."""
    settings = folder / "config"
    shutil.copytree(ROOT / "config", settings)
    edit(settings / "runs.yaml", lambda runs: {name: runs[name] for name in runs if name != run})
    return settings


def test_an_unknown_configuration_key_is_refused(tmp_path: Path) -> None:
    done = snakemake("--dry-run", *options(tmp_path), "scal=paper")
    assert done.code == 1
    assert "scal: unknown key; the nearest allowed key is scale." in done.text
