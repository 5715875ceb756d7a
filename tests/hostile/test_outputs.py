"""Somebody's folders that a command is told to write into: nothing of theirs is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from commands import call, exit_code
from hostile_data import refused
from interrupting import stage_of
from matplotlib.figure import Figure
from predict_world import stage
from snakemake_calls import read_files
from tiny import tiny_policy

from samr1.cli import check_gpu, collect_study, plan, score_benchmark
from samr1.config.data import WorldConfig
from samr1.evaluation.kept import Kept
from samr1.micro.world import draw_world
from samr1.policy.model import save_policy
from samr1.report.figures.style import write_figure
from samr1.report.tables.collect import collect_tables
from samr1.report.tables.html import render_table
from samr1.train.boards import open_boards
from samr1.train.checkpoint import Checkpoints, Progress

ROOT = Path(__file__).parents[2]


def fill(folder: Path) -> dict[str, bytes]:
    """A person's files, of names that commands write too; their content by their paths."""
    for name in ("README.md", "log.txt", "table_4.md", "notes/a.txt", "step_000009/a.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    (folder / "events.out.tfevents.1.there").write_bytes(b"mine")
    return read_files(folder)


def check_the_gpu(folder: Path) -> None:
    call(check_gpu.main, output=folder, size="tiny")


def collect_the_study(folder: Path) -> None:
    call(collect_study.main, output=folder, config_dir=ROOT / "config")


@pytest.mark.parametrize("write", [check_the_gpu, collect_the_study])
def test_a_folder_of_anothers_is_not_written_into(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    before = fill(tmp_path)
    refused("was not made by samr1", lambda: write(tmp_path))
    (tmp_path / "file").write_text("mine")
    refused("is there and no folder", lambda: write(tmp_path / "file"))
    refused("cannot be written", lambda: write(tmp_path / "file/below"))
    assert read_files(tmp_path) == before | {"file": b"mine"}


def keep(folder: Path) -> None:
    """Keep an answer of one job, then of another, and give that away."""
    for name in ("one", "other"):
        kept = Kept(folder, stage(), name, [])
        kept.place("0").parent.mkdir(parents=True)
        kept.place("0").write_bytes(b"answer")
    kept.take({kept.place("0"): folder.with_name("answer")})


def save_checkpoints(folder: Path) -> None:
    engine = SimpleNamespace(
        rank=0, processes=1, gather=list, tensors=dict, load_tensors=lambda tensors: None
    )
    world = folder.parent / "world"
    world.mkdir()
    checkpoints = Checkpoints(folder, cast(Any, engine), stage_of(world), {})
    for step in range(1, 5):
        checkpoints.save(Progress(step, [], []))
    assert [path.name for path in sorted(folder.glob("step_*"))][:2] == [
        "step_000003",
        "step_000004",
    ]
    assert cast(Any, checkpoints.load()).step == 4
    checkpoints.remove()


def show_metrics(folder: Path) -> None:
    for _ in range(2):
        with open_boards(folder, [], "sam_r1/seed_0", {}) as boards:
            boards.add_step({"step": 0, "iou": 0.25}, {"step": 0})
    (ours,) = folder.glob("*.samr1")
    ours.unlink()


@pytest.mark.parametrize("write", [keep, save_checkpoints, show_metrics])
def test_what_is_removed_is_what_was_made_here(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    folder = tmp_path / "folder"
    before = fill(folder)
    write(folder)
    assert read_files(folder) == before


def test_a_folder_is_replaced_by_the_command_that_made_it_and_no_other(tmp_path: Path) -> None:
    config = WorldConfig(**dict.fromkeys(WorldConfig.model_fields, 1))
    fill(tmp_path)
    save_policy(tiny_policy(), tmp_path / "policy", maker="train_policy")
    before = read_files(tmp_path)
    for place in (".", "notes", "README.md", "policy"):
        refused("by samr1's draw_world|no folder", partial(draw_world, config, tmp_path / place))
    assert read_files(tmp_path) == before


def test_a_page_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xff\xfe# a")
    refused("no text in UTF-8", lambda: render_table(tmp_path / "a.md", tmp_path / "a.html"))
    refused("no text in UTF-8", lambda: collect_tables([tmp_path / "a.md"], tmp_path / "b.md"))


@pytest.mark.parametrize(
    "words",
    [("--seed", "9" * 12), ("--run", "\udcff"), ("--seed", "x\x1b"), ("--x", "\x1b[2J\u202e")],
)
def test_a_name_or_seed_that_no_table_can_hold_is_wrong_usage(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: "none" for name in ("samples", "predictions", "output")}
    assert exit_code(score_benchmark.main, *words, protocol="lisa", **files) == 2
    assert all(line.isprintable() for line in capsys.readouterr().err.splitlines())


def test_a_question_is_no_formula(tmp_path: Path) -> None:
    """Matplotlib would set what stands between dollar signs, or fail at it."""

    def draw(words: str) -> Figure:
        figure = Figure(figsize=(1, 1))
        figure.text(0.1, 0.5, words)
        return figure

    for words in (r"$\foo$ or $5$, a_b^c", "5 or 6"):
        write_figure([tmp_path / f"{len(words)}.png"], None, partial(draw, words))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("minutes", ["nan", "inf", "-inf", "1e9", "0"])
def test_a_time_that_is_none_is_wrong_usage(tmp_path: Path, minutes: str) -> None:
    assert exit_code(check_gpu.main, f"--minutes={minutes}", output=tmp_path / "a") == 2
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("memory", ["nan", "inf", "0"])
def test_a_memory_that_is_none_is_wrong_usage(memory: str) -> None:
    assert exit_code(plan.main, f"--gpu-memory={memory}") == 2
