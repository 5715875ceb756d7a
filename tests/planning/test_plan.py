"""The plan: the disk, and what the command prints and refuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from answer_world import sample, samples
from commands import exit_code
from edited_settings import edit

from samr1.cli import plan
from samr1.config.datasets import load_datasets
from samr1.config.jobs import JobList, list_evaluations, list_trainings
from samr1.config.merge import load_experiment
from samr1.core.files import write_table
from samr1.planning.disk import plan_disk
from samr1.planning.job import describe_job
from samr1.planning.splits import Split, find_split, find_splits

ROOT = Path(__file__).parents[2]


def test_splits_are_as_large_as_published_or_as_drawn() -> None:
    drawn, public = (load_experiment(ROOT / "config", scale) for scale in ("micro", "paper"))
    for name, micro, paper in (
        ("lisa_grounding", Split(520, 520), Split(779, 779)),
        ("refcocog_test", Split(1040, 1040), Split(5023, 2600)),
    ):
        assert find_split(drawn.benchmarks[name], drawn.data.world) == micro
        assert find_split(public.benchmarks[name], public.data.world) == paper


def test_data_sets_need_room_until_they_are_there(tmp_path: Path) -> None:
    paper = load_experiment(ROOT / "config", "paper")
    there = paper.data.model_copy(update={"root": str(tmp_path)})
    paper = paper.model_copy(update={"data": there})
    planned = JobList(list_trainings(paper), list_evaluations(paper))
    datasets = load_datasets(ROOT / "config/datasets.yaml")
    job = describe_job(paper.runs["sam_r1"].train_stage(), 8, True)
    splits = find_splits(paper, tmp_path)

    def needed() -> dict[str, float]:
        lines = [
            line
            for place in plan_disk(paper, datasets, planned, job, splits, tmp_path)
            for line in place.written
        ]
        return {
            line.what.partition(":")[0]: line.amount for line in lines if "archive" in line.what
        }

    before = needed()
    assert before.keys() == datasets.keys()
    assert before["refcoco"] == 53_993_993 + 400_000_000
    (tmp_path / "refcoco").mkdir()
    for name in datasets["refcoco"].holds:
        (tmp_path / name).write_text("{}")
    (tmp_path / "refcocog").mkdir()  # of which nothing is there
    assert before.keys() - needed().keys() == {"refcoco"}


def run_plan(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.chdir(ROOT)
    return exit_code(plan.main, *options)


def test_a_plan_is_printed_with_its_arithmetic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paper = ("--config", "scale=paper")
    assert run_plan(monkeypatch, *paper, "--gpus", "8", "--gpu-memory", "80") == 0
    said = capsys.readouterr().out
    assert "8,292,166,656 × 8 B / 8" in said
    assert "evaluate sam_r1" in said
    heads = [line for line in said.splitlines() if line.startswith(("Memory", "Disk"))]
    assert len(heads) == 4 and all(", calculated" in head for head in heads)
    three = ("--run", "qwen2.5vl_3b", "--gpus", "1", "--gpu-memory", "80")
    assert run_plan(monkeypatch, *paper, *three) == 1
    printed = capsys.readouterr()
    assert "It does not fit." in printed.out
    assert printed.err.startswith("error: training qwen2.5vl_3b needs ")
    assert printed.err.count("\n") == 1
    assert "train.lora of rank 64 with policy.train_vision: false" in printed.err


def test_models_need_room_where_the_hub_keeps_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = Path("/proc/hub")  # another file system, and not there yet
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    rooms = {"/proc": 1e9}
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=rooms.get(str(path), 1e15))
    )
    assert run_plan(monkeypatch, "--config", "scale=paper") == 1
    printed = capsys.readouterr()
    assert f"in all, at {cache}" in printed.out
    assert printed.err.startswith(f"error: {cache}: 66 GB are needed and 1 GB are free; ")
    assert "HF_HOME" in printed.err and "--config results" not in printed.err


def test_a_run_on_own_data_is_counted_once_its_samples_are_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    photos = {"layout": "table", "root": "my_photos", "file": "questions.csv"}
    edit(settings / "own_data.yaml", lambda own: own | {"photos": photos})
    edit(settings / "runs.yaml", lambda runs: runs | {"mine": {"data": "photos"}})
    edit(settings / "scales/paper.yaml", lambda paper: paper | {"seeds": [0, 7]})
    told = ("scale=paper", f"config_dir={settings}", f"results={tmp_path}")

    def hours() -> list[str]:
        assert run_plan(monkeypatch, "--config", *told, "--run", "mine", "--gpus", "8") == 0
        said = capsys.readouterr().out.partition("GPU hours")[2]
        return [line for line in said.splitlines() if line.endswith("calculated")][:2]

    training, answering = hours()
    assert "not counted: its data is not indexed yet" in training
    assert "0 questions, 16 starts; its own data is not indexed yet" in answering
    for part, count in (("photos-train", 40), ("photos", 10)):
        write_table(tmp_path / f"paper/samples/{part}.parquet", samples([sample()] * count))
    training, answering = hours()
    assert "train mine" in training and "2 × 8 GPUs × (3 × " in training
    assert "evaluate mine" in answering and "20 questions, 16 starts  " in answering


def test_hours_of_a_training_are_what_their_arithmetic_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = r"train sam_r1 +1 × (\d+) GPUs? × \((\d+) × (\S+) s a step \+ 180 s to start\) +(\S+) "
    for count in (8, 1):
        paper = ("--config", "scale=paper", "--run", "sam_r1", "--gpu-memory", "1000")
        assert run_plan(monkeypatch, *paper, "--gpus", str(count)) == 0
        page = capsys.readouterr().out
        ((gpus, steps, step, hours),) = re.findall(words, page)
        told = int(gpus) * (int(steps) * float(step) + 180) / 3600
        assert float(hours) == pytest.approx(told, abs=0.06)
        assert not re.search(r"\b1 (GPUs|starts)", page)


def figure(page: str, what: str) -> float:
    """The last number of the first line that begins with `what`."""
    line = next(line for line in page.splitlines() if line.strip().startswith(what))
    words = line.replace(",", "").split()
    return [float(word) for word in words if word.replace(".", "").isdigit()][-1]


def test_the_guides_figures_are_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "workflow/README.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    def printed(options: str) -> str:
        run_plan(monkeypatch, "--config", "scale=paper", *options.split())
        return "".join(capsys.readouterr())

    page = printed("--gpus 8 --gpu-memory 80")
    hours, train = figure(page, "in all  "), figure(page, "train sam_r1")
    answer = figure(page, "evaluate seg_zero")  # RefCOCO's by one sentence a ref alone
    both = train + figure(page, "evaluate sam_r1") + figure(page, "evaluate base")
    for row in (
        f"188 steps | {train} | {train / 8 * 60:.0f} min |",
        f"10,731 questions | {answer} | {answer / 8 * 60:.0f} min |",
        f"by every sentence too | {both:.1f} | {both / 8:.1f} h |",
        f"15 models evaluated | {hours:.0f} | {hours / 8:.0f} h |",
        f"in a training, at most | {figure(page, 'at most'):.0f} |",
        f"host in a training | {figure(page, 'all of them'):.0f} |",
        f"when it is done | {figure(page, 'checkpoints of'):.0f} |",
    ):
        assert row in guide
    assert f"{hours:.0f} GPU hours of an A100, {both:.0f} of them" in readme
    block = guide.partition("--gpu a6000 --lora-rank 64\n")[2].partition("\n\nand of 3B")[0]
    one_card = printed("--run sam_r1 --gpus 1 --gpu a6000 --lora-rank 64")
    answers = figure(one_card.partition("evaluating sam_r1")[2], "at most")
    assert f"take {answers:.0f} GB with a 7B" in guide
    squeezed = " ".join(one_card.split())
    for line in filter(None, block.splitlines()):
        assert " ".join(line.split()) in squeezed
    error = guide.partition("    training qwen2.5vl_3b ")[2].partition("\n\n")[0]
    three = "--run qwen2.5vl_3b --gpus 1"
    assert " ".join(error.split()) in printed(f"{three} --gpu-memory 24 --lora-rank 64")
    assert "(37.0 GB)" in printed(f"{three} --gpu-memory 48") and "37.0 GB of the GPU" in guide


def test_a_plan_refuses_what_is_no_choice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_plan(monkeypatch, "--config", "paper") == 1
    assert run_plan(monkeypatch, "--run", "no_such_run") == 1
    assert run_plan(monkeypatch, "--gpus", "0") == 2
    said = capsys.readouterr().err
    assert "must be KEY=VALUE" in said
    assert "no such run at scale micro" in said


def write_measured(file: Path, rates: object) -> str:
    file.write_text(json.dumps({"size": "7b", "rates": rates}))
    return str(file)


def test_a_plan_takes_the_rates_that_were_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paper = ("--config", "scale=paper", "--gpus", "8", "--gpu", "h100")
    assert run_plan(monkeypatch, *paper) == 0
    before = capsys.readouterr().out
    assert "on H100 SXM 80 GB" in before
    assert "assumed: 35% of the sheet" in before
    assert "measured" not in before.replace("--measured", "")
    values = {"operations": 2 * 0.35 * 989e12, "image": 0.03, "prompt": 0.002}
    file = write_measured(tmp_path / "check_gpu.json", {"card": "Some Card", "values": values})
    assert run_plan(monkeypatch, *paper, "--measured", file) == 0
    after = capsys.readouterr().out
    assert "on Some Card" in after

    def line(page: str, what: str) -> list[str]:
        (found,) = [line for line in page.splitlines() if line.startswith(what)]
        return found.split()

    assert line(before, "reference ")[-1] == "calculated"
    assert line(after, "reference ")[-1] == "measured"
    assert line(after, "decoding ")[-1] == "calculated"  # of which nothing was measured
    seconds = [float(line(page, "2 updates")[-2]) for page in (before, after)]
    assert seconds[1] == pytest.approx(seconds[0] / 2, abs=0.06)


def test_a_plan_refuses_what_is_no_measurement(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "check_gpu.json"
    paper = ("--config", "scale=paper", "--gpus", "8", "--measured", str(file))
    assert run_plan(monkeypatch, *paper) == 1
    write_measured(file, {})
    assert run_plan(monkeypatch, *paper) == 1
    for value in (0, "fast", 1e300):
        write_measured(file, {"card": "Some Card", "values": {"operations": value}})
        assert run_plan(monkeypatch, *paper) == 1
    write_measured(file, {"card": "Some Card", "values": {"gpu": 1.0}})
    assert run_plan(monkeypatch, *paper) == 1
    write_measured(file, {"card": "\x1b[2J", "values": {"operations": 1e12}})
    assert run_plan(monkeypatch, *paper) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 7 and "rates: card = " in said[6]
    assert "no such file; name the check_gpu.json that" in said[0]
    assert "holds no rate of a card" in said[1]
    assert "rates: values.operations = 0: must be greater than 0.0" in said[2]
    assert "rates: values.gpu" in said[5] and "'operations', 'decoding'" in said[5]
