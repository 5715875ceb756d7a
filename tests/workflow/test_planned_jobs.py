"""What the workflow plans, fetches and refuses where nothing of its results is there yet."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from edited_settings import edit
from fetch_server import serve_folder
from PIL import Image
from snakemake_calls import (
    ROOT,
    SCALE,
    changed_settings,
    options,
    planned,
    read_files,
    snakemake,
)

from samr1.config.datasets import load_datasets
from samr1.config.jobs import (
    evaluate_main,
    evaluate_table,
    list_comparisons,
    list_evaluations,
    list_trainings,
)
from samr1.config.merge import load_experiment, merge

EXPERIMENT = load_experiment(ROOT / "config", SCALE)


def test_ablations_are_tables_4_and_5_and_the_runs_of_figure_4(tmp_path: Path) -> None:
    published, points = EXPERIMENT.published, EXPERIMENT.published.figures.figure_4
    asked = {one for name in published.ablations for one in evaluate_table(EXPERIMENT, name)}
    runs = {run for table in published.ablations.values() for run in table.labels}
    plan = planned("ablations", *options(tmp_path))
    assert plan["train_policy"] == len(runs | {*points.runs})
    answering = {one.run for one in asked} | {points.any, points.inside}
    assert plan["predict_masks"] == len(answering)
    assert plan["copy_predictions"] == len(asked) + 2  # the point rewards' on one benchmark
    assert plan["make_table"] == len(published.ablations) and plan["draw_figure"] == 1
    one = planned("table_4", *options(tmp_path))
    compared = list_comparisons(EXPERIMENT)["sam_r1", "reasonseg_test"]
    assert one["make_table"] == 1 and one["train_policy"] == len({"sam_r1", *compared})


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
    plan = planned(*options(tmp_path / "results", settings))
    assert plan["import_predictions"] == 2  # Tables 2 and 3
    of_tables = (evaluate_table(EXPERIMENT, name) for name in EXPERIMENT.published.tables)
    scored = {*evaluate_main(EXPERIMENT)}.union(*of_tables)
    assert plan["score_benchmark"] == len(scored) + 2
    assert plan["predict_masks"] == len({one.run for one in list_evaluations(EXPERIMENT)})


def test_paper_scale_is_the_same_graph_with_fetched_data(tmp_path: Path) -> None:
    root = tmp_path / "data"  # not there yet, and not made by planning
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "root", value=str(root))
    paper = planned(*options(tmp_path / "results", settings, scale="paper"))
    micro = planned(*options(tmp_path / "results", settings, scale="micro"))
    assert set(micro) - set(paper) == {"draw_world"}
    assert set(paper) - set(micro) == {
        *("fetch_dataset", "copy_predictions", "predict_grounding_dino")
    }
    assert paper["fetch_dataset"] == len(load_datasets(settings / "datasets.yaml"))
    assert paper["train_policy"] == micro["train_policy"] == len(list_trainings(EXPERIMENT))
    evaluations = list_evaluations(load_experiment(settings, "paper"))
    # A job a model, which is loaded once for all of its benchmarks.
    assert paper["predict_masks"] == len({one.run for one in evaluations})
    assert paper["copy_predictions"] == len(evaluations)


def test_a_run_of_another_image_size_has_images_of_its_own_and_is_run_when_asked_for(
    tmp_path: Path,
) -> None:
    root, results = tmp_path / "data", tmp_path / "results"
    settings = changed_settings(tmp_path, "scales/paper.yaml", "data", "root", value=str(root))
    told = options(results, settings, "paper")
    experiment = load_experiment(settings, "paper")
    everything = [*list_evaluations(experiment), *list_trainings(experiment)]
    assert not any("qwen3vl" in one.run for one in everything)
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
        ("840", "images_840/training_3000.parquet"),
    ]


def test_a_job_of_one_gpu_has_the_whole_machine_which_gives_all_the_same_one(
    tmp_path: Path,
) -> None:
    paper = tmp_path / "results/paper"
    wanted = [
        f"{paper}/metrics/{run}/seed_0/reasonseg_val.parquet" for run in ("grounded_sam", "base")
    ]
    told = options(tmp_path / "results", scale="paper")
    plan = snakemake(*wanted, "--dry-run", "--cores", "64", *told)
    assert plan.code == 0, plan.text
    for rule in ("predict_grounding_dino", "check_models"):
        job = plan.text.partition(f"rule {rule}:")[2].partition("\nrule ")[0]
        assert "threads: 64" in job and "gpu=1" in job


def test_the_files_that_the_guide_asks_for_can_be_planned(tmp_path: Path) -> None:
    guide = (ROOT / "workflow/README.md").read_text(encoding="utf-8")
    settings = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    lora = guide.partition("    sam_r1_lora:\n")[2].partition("\n\n")[0]
    edit(settings / "runs.yaml", lambda runs: runs | {"sam_r1_lora": yaml.safe_load(lora)})
    commands = re.findall(r"snakemake ((?:[^`\n\\]|\\\n)*-- (?:[^`\n\\]|\\\n)+)", guide)
    assert len(commands) == 3
    for command in commands:
        told = command.replace("scale=paper", f"scale=paper config_dir={settings}")
        words = ["bash", "-c", f"printf '%s\\n' {told}"]
        expanded = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        plan = snakemake("--dry-run", *expanded.splitlines())
        assert plan.code == 0, f"{command}\n{plan.text}"


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
    counts = {"unpack_mirror": 5, "index_mirror": 5, "index_refer": 1, "index_reasonseg": 1}
    assert plan | counts == plan
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


def test_a_run_that_is_not_trained_has_no_policy_of_its_own(tmp_path: Path) -> None:
    done = snakemake(f"{tmp_path}/{SCALE}/policies/base/seed_0", "--dry-run", *options(tmp_path))
    assert done.code == 1
    assert "No rule to produce" in done.text


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


def test_every_pair_of_models_can_be_looked_at_first(tmp_path: Path) -> None:
    told = options(tmp_path, scale="paper")
    assert planned("--until", "check_models", *told) == {"write_config": 6, "check_models": 5}
    method = f"{tmp_path}/paper/policies/sam_r1/seed_0"
    plan = planned(method, "--until", "check_models", *told)
    assert plan == {"write_config": 2, "check_models": 1}


def test_the_interpreter_may_be_in_a_folder_with_blanks(tmp_path: Path) -> None:
    config = f"{tmp_path}/{SCALE}/config/world.yaml"
    python = tmp_path / "a folder/bin/python"
    done = snakemake(config, "--cores", "1", *options(tmp_path), python=python)
    assert done.code == 0, done.text
    assert yaml.safe_load(Path(config).read_text())["seed"] == 0


def test_an_unknown_configuration_key_is_refused(tmp_path: Path) -> None:
    done = snakemake("--dry-run", *options(tmp_path), "scal=paper")
    assert done.code == 1
    assert "scal: unknown key; the nearest allowed key is scale." in done.text


def test_a_key_that_stands_twice_is_refused_in_snakemakes_own_file_too(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("scale: smoke\nscale: micro\n")
    done = snakemake("--dry-run", "--configfile", str(tmp_path / "mine.yaml"))
    assert done.code == 1
    assert "mine.yaml: line 2: the key 'scale' stands twice; keep one of the two" in done.text
