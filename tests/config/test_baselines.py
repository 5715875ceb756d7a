"""Other people's systems in the configuration and in the tables, under invented names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from made_up_metrics import (
    PUBLISHED,
    main_table,
    make,
    metric_rows,
    write_all_metrics,
    write_metrics,
)

from samr1.config.baselines import Baseline, check_baselines, detect_stage
from samr1.config.merge import load_experiment
from samr1.config.published import Published
from samr1.config.schema import load_named, load_stage
from samr1.core.errors import UserError

CONFIG = Path(__file__).parents[2] / "config"
FILES = {"reasonseg_test": "theirs/test.json"}


def write(folder: Path, **baselines: Any) -> Path:
    path = folder / "baselines.yaml"
    path.write_text(yaml.safe_dump(baselines))
    return path


def check(path: Path) -> None:
    methods = load_stage(PUBLISHED, Published).methods
    found = load_named(path, Baseline, "baseline")
    check_baselines(path, found, ["base"], ["reasonseg_test"], methods)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label": "A"}, r"baseline a: predictions = {}: must be given where there is no detector"),
        (
            {"label": "A", "predictions": FILES, "detector": {"path": "tests"}},
            r"baseline a: predictions = .*: must be given where there is no detector, and only",
        ),
        ({"label": "A | B", "predictions": FILES}, r"baseline a: label = "),
        ({"predictions": FILES}, r"baseline a: label: missing"),
        (
            {"label": "A", "prediction": FILES},
            r"prediction: unknown key; the nearest ",
        ),
        ({"label": "A", "detector": {"path": "me/dino"}}, r"detector.path = .*: must be a folder"),
        (
            {"label": "A", "predictions": {"val": "x"}},
            r"predictions.val: there is no such",
        ),
        (
            {"label": "A", "method": "LISA", "predictions": FILES},
            r"method = \"LISA\": no",
        ),
    ],
)
def test_what_cannot_mean_anything_is_refused(
    tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check(write(tmp_path, a=values))


def test_names_and_rows_belong_to_one(tmp_path: Path) -> None:
    one = {"label": "A", "method": "ReLA", "predictions": FILES}
    check(write(tmp_path, a=one))
    with pytest.raises(UserError, match=r"baseline b: method = \"ReLA\": a stands beside that row"):
        check(write(tmp_path, a=one, b=one))
    with pytest.raises(UserError, match=r"baseline base: runs.yaml has a run of that name"):
        check(write(tmp_path, base=one))
    with pytest.raises(UserError, match=r"baseline A B: name = "):
        check(write(tmp_path, **{"A B": one}))


def test_the_shipped_ones_are_of_the_papers_scale() -> None:
    assert not load_experiment(CONFIG, "micro").baselines
    experiment = load_experiment(CONFIG, "paper")
    shipped = experiment.baselines["grounded_sam"]
    stage = detect_stage("grounded_sam", shipped, experiment.runs["base"])
    assert stage.detector.box_threshold == 0.3  # grounded_sam_demo.py
    assert stage.segmenter == experiment.runs["base"].segmenter
    # Where the paper's tables and the runs name each other, both ends are there.
    for table in load_stage(PUBLISHED, Published).tables.values():
        for row in table.rows:
            assert row.run is None or row.run in experiment.runs
    micro = load_experiment(CONFIG, "micro").runs
    tiny = {name: run for name, run in micro.items() if name.startswith("tiny_")}
    named = {
        e.name: e.run for t in load_stage(PUBLISHED, Published).tables.values() for e in t.extra
    }
    for name, run in tiny.items():
        assert named[f"Tiny policy, {run.dialect} prompt"] == name
        assert run.policy == micro["base"].policy and run.benchmarks


@pytest.fixture
def metrics(tmp_path: Path) -> list[Path]:
    """The runs' metrics, and an invented system's on ReasonSeg test and RefCOCOg test alone."""
    answered = ("reasonseg_test", "refcocog_test")
    rows = [row for row in metric_rows("invented", 0.7) if row["benchmark"] in answered]
    return [*write_all_metrics(tmp_path), write_metrics(tmp_path, rows, "invented")]


def invented(method: list[str]) -> dict[str, Any]:
    """What a table is made with: the invented system beside its published rows, and three runs."""
    files = {"reasonseg_test": "a.json", "refcocog_test": "b.json"}
    one = Baseline(label="Invented", method=method, predictions=files)
    return {"baselines": {"invented": one}, "runs": ["base", "qwen2.5vl_3b", "sam_r1"]}


def test_at_paper_scale_files_stand_beside_their_published_row(
    tmp_path: Path, metrics: list[Path]
) -> None:
    more = invented(["LISA-7B-LLaVA1.5"])
    page, records = make("table_1", tmp_path, metrics, "paper", **more)
    rows = main_table(page)
    lisa = rows["LISA-7B-LLaVA1.5 (measured from files)"]
    assert lisa["paper test gIoU"] == "48.7"
    assert lisa["measured test gIoU"] == "**71.0** [70.0, 72.0]"
    assert lisa["measured val gIoU"] == "–"  # it gave no file for that
    assert lisa["n"] == "– / 501" and lisa["unparseable"] == "– / 1.5"
    assert "LISA-7B-LLaVA1.5" not in rows and "Invented" not in page
    mine = [record for record in records if record["run"] == "invented"]
    assert {r["benchmark"] for r in mine if r["measured"]} == {"reasonseg_test"}
    # Its published figures are all there, measured or not.
    printed = {r["benchmark"] for r in mine if r["published"] is not None}
    assert printed == {"reasonseg_val", "reasonseg_test"}
    # Of what was not run, the cells are empty: Seg-Zero is no run of these.
    assert rows["Seg-Zero*"]["measured test gIoU"] == "–"


def test_elsewhere_they_have_a_row_of_their_own(tmp_path: Path, metrics: list[Path]) -> None:
    more = invented(["LISA-7B-LLaVA1.5"])
    page, _ = make("table_1", tmp_path, metrics, "micro", **more)
    rows = main_table(page)
    assert rows["LISA-7B-LLaVA1.5"]["measured test gIoU"] == "–"
    assert rows["Invented (measured from files)"]["measured test gIoU"] == "**71.0** [70.0, 72.0]"
    assert list(rows)[-1] == "Invented (measured from files)"
    # Where it has no published row, at paper scale too.
    more = invented([])
    page, _ = make("table_1", tmp_path, metrics, "paper", **more)
    assert "Invented (measured from files)" in main_table(page)


def test_a_run_answers_to_its_row_before_files_do(tmp_path: Path, metrics: list[Path]) -> None:
    more = invented(["Qwen2.5VL-3B+SAM2"])
    rows = main_table(make("table_1", tmp_path, metrics, "paper", **more)[0])
    assert rows["Qwen2.5VL-3B+SAM2"]["measured val gIoU"] == "**42.0** [41.0, 43.0]"
    assert "Invented (measured from files)" in rows


def test_a_system_without_a_figure_of_a_table_is_not_in_it(
    tmp_path: Path, metrics: list[Path]
) -> None:
    page, _ = make("table_3", tmp_path, metrics, "paper", **invented([]))
    assert "Invented" not in page


def test_a_prompts_row_is_named_after_the_tiny_policy(tmp_path: Path) -> None:
    tiny = [r for r in metric_rows("tiny_vlm_r1", 0.2) if r["benchmark"] == "lisa_grounding"]
    metrics = [*write_all_metrics(tmp_path), write_metrics(tmp_path, tiny, "tiny")]
    page, _ = make("table_3", tmp_path, metrics, "micro", runs=["base", "sam_r1", "tiny_vlm_r1"])
    rows = main_table(page)
    row = rows["Tiny policy, vlm_r1 prompt"]
    assert row["measured mean box IoU"].startswith("**25.0**")
    assert row["paper mean box IoU"] == "–" and rows["Visual-RFT"]["measured mean box IoU"] == "–"
    assert list(rows)[-1] == "Tiny policy, vlm_r1 prompt"
    fewer = [path for path in metrics if "visual_rft" not in path.name]
    # A run that the configuration has must have been scored where its row asks for it.
    with pytest.raises(UserError, match="no box_iou of run 'visual_rft' on benchmark"):
        make("table_3", tmp_path, fewer, "paper", runs=["base", "sam_r1", "visual_rft"])
