"""A stage that raises, dies or hangs takes nothing with it; the page says what became of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from commands import exit_code

from samr1.cli import check_gpu
from samr1.gpu import run
from samr1.gpu.findings import at_least, at_most, found, holds, not_measured
from samr1.gpu.page import summary, to_page
from samr1.gpu.run import NO_CARD, Outcome, Report, Stage, run_stage, run_stages, to_json
from samr1.gpu.worker import write_findings

RAISES = """
from samr1.gpu.findings import found
def look(setting):
    yield found("made_up.size", "the setting's size", setting.size)
    raise ValueError("no kernel\\nfor this")
"""
DIES = """
import os, signal, sys
from samr1.gpu.findings import found
def look(setting):
    yield found("made_up.size", "the setting's size", setting.size)
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path of this process and of those that it starts."""
    source = Path(__file__).parents[2] / "src"
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{source}")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_all_that_cannot_be_imported_is_said_in_one_line_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("msgpack", "portalocker"):
        monkeypatch.setitem(sys.modules, name, None)
    assert exit_code(check_gpu.main, output=tmp_path / "found", size="tiny") == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: the check cannot import portalocker, msgpack; install ")
    assert not list(tmp_path.iterdir())


def test_what_a_stage_raises_is_kept_behind_what_it_found(stages: Path) -> None:
    (stages / "stage_that_raises.py").write_text(RAISES)
    file = stages / "found.jsonl"
    assert not write_findings("stage_that_raises", "tiny", file)
    size, error = map(json.loads, file.read_text().splitlines())
    assert size["value"] == "tiny"
    assert error["error"] == "no kernel"
    assert error["traceback"].endswith("ValueError: no kernel\nfor this\n")


def test_a_stage_that_dies_leaves_its_findings_and_last_words(stages: Path) -> None:
    (stages / "stage_that_dies.py").write_text(DIES)
    stage = Stage("stage_that_dies", "Dying", 60)
    outcome = run_stage(stage, "tiny", stages / "log.txt", time.monotonic() + 60)
    assert (outcome.state, outcome.reason) == ("failed", "ended with -9")
    assert [one.value for one in outcome.findings] == ["tiny"]
    assert outcome.traceback.splitlines()[-1] == "last words"
    assert sorted(file.name for file in stages.glob("*.*")) == ["log.txt", "stage_that_dies.py"]


def test_a_stage_is_stopped_when_its_time_is_over(tmp_path: Path) -> None:
    begin = time.monotonic()
    stage = Stage("samr1.gpu.stages.update", "Reference and update", 60)
    outcome = run_stage(stage, "tiny", tmp_path / "log.txt", begin + 0.2)
    assert outcome.state == "stopped"
    assert time.monotonic() - begin < 5


def test_what_would_pass_the_time_is_skipped_with_a_reason(tmp_path: Path) -> None:
    kept: list[Report] = []
    begin = time.monotonic()
    report = run_stages("tiny", 0.05, tmp_path / "log.txt", begin, kept.append)
    assert {stage.state for stage in report.stages} == {"skipped"}
    assert all("were left" in stage.reason for stage in report.unfinished())
    assert len(kept) == len(report.stages)


def test_what_went_by_before_the_first_stage_is_taken_from_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[float] = []

    def run_at_once(stage: Stage, size: str, log: Path, deadline: float) -> Outcome:
        deadlines.append(deadline)
        return Outcome(stage.name, stage.what, "done")

    monkeypatch.setattr(run, "run_stage", run_at_once)
    begin = time.monotonic() - 60  # as imports take from a disk that nobody has read yet
    report = run_stages("7b", 8, tmp_path / "log.txt", begin, lambda _: None)
    assert not report.unfinished()
    assert deadlines[0] - time.monotonic() > 20
    assert begin + 470 < deadlines[-1] < begin + 480


def made_up() -> Report:
    report = Report("7b", 8, "2026-01-02 03:04 UTC", 421.0)
    report.stages = [
        Outcome(
            "machine",
            "The machine",
            "done",
            12.0,
            findings=[
                found("machine.card", "card", "Some Card 80 GB"),
                not_measured("machine.compiler", "C compiler", "none | of any name"),
            ],
        ),
        Outcome(
            "update",
            "Reference and update",
            "failed",
            33.0,
            "out of memory",
            "Traceback …\nOutOfMemoryError: out of memory",
            [
                at_least("update.share", "share of the product", 0.31, 0.4),
                at_most("update.memory", "off the plan", float("nan"), 0.1),
                holds("update.runs", "backward runs", True),
                at_most("update.step", "a step", None, 110, "s", "not reached"),
            ],
        ),
    ]
    return report


def test_a_page_says_first_what_was_missed_and_by_how_much() -> None:
    page = to_page(made_up())
    assert page.startswith("# Some Card 80 GB\n")
    assert "421 s. 1 of 3 bars reached, 1 not measured." in page
    missed = page.split("## What was missed")[1].split("##")[0]
    assert "- ✗ share of the product: 0.31, and the bar is ≥ 0.4\n" in missed
    assert "off the plan: nan" in missed
    assert "Reference and update: failed (out of memory)" in missed
    assert "| ✓ | backward runs | yes | yes |  |" in page
    assert "| – | a step | – | ≤ 110 | not reached |" in page
    assert "none \\| of any name" in page
    assert "```\nTraceback …\nOutOfMemoryError: out of memory\n```" in page
    assert "says nothing of any GPU" not in page


def test_a_run_without_a_gpu_is_named_so() -> None:
    report = Report("tiny", 8, "2026-01-02 03:04 UTC")
    page = to_page(report)
    assert page.startswith(f"# {NO_CARD}\n")
    assert "says nothing of any GPU" in page
    assert "What was missed" not in page


def test_a_stage_is_said_in_a_line() -> None:
    said = summary(made_up().stages[1])
    assert said == "Reference and update: failed, 33 s, 1 of 3 bars (out of memory)"


def test_the_json_holds_all_of_it() -> None:
    content = json.loads(to_json(made_up()))
    assert [stage["state"] for stage in content["stages"]] == ["done", "failed"]
    assert content["stages"][1]["findings"][0] == {
        "key": "update.share",
        "what": "share of the product",
        "value": 0.31,
        "unit": "",
        "bar": "≥ 0.4",
        "passed": False,
        "note": "",
    }
