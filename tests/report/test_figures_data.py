"""What the figures show, as numbers: curves, points on boxes and bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from answer_world import answer, predictions, sample, samples, write_training
from made_up_metrics import PUBLISHED, metric_rows, write_metrics

from samr1.config.published import Extra, Published
from samr1.config.schema import load_stage
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.report.figures.ablations import measure_runs
from samr1.report.figures.curves import mean_curve
from samr1.report.figures.points import locate_points, share_places
from samr1.report.predictions import read_answers, read_pairs
from samr1.report.tables.measured import Measurements
from samr1.report.trainings import read_trainings


def test_runs_keep_the_order_of_their_files_and_their_own_seeds(tmp_path: Path) -> None:
    files = [
        write_training(tmp_path, run, seed, iou=[float(seed)])
        for run, seed in (("sam_r1", 0), ("grpo", 0), ("grpo", 2))  # grpo lacks its seed 1
    ]
    runs = read_trainings(files, ["iou"])
    seeds = {run: [steps["iou"].tolist() for steps in seeds] for run, seeds in runs.items()}
    assert list(seeds.items()) == [("sam_r1", [[0.0]]), ("grpo", [[0.0], [2.0]])]


def test_the_mean_curve_is_of_the_seeds_that_measured_something(tmp_path: Path) -> None:
    seeds: list[list[float | None]] = [[1.0, float("nan"), None], [3.0, 5.0, None, 7.0]]
    files = [write_training(tmp_path, "run", i, kl=values) for i, values in enumerate(seeds)]
    mean = mean_curve([steps["kl"] for steps in read_trainings(files, ["kl"])["run"]])
    np.testing.assert_array_equal(mean.index, [0, 1, 2, 3])
    np.testing.assert_array_equal(mean, [2.0, 5.0, np.nan, 7.0])


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = write_training(tmp_path, "run", 0, kl=[1.0])
    with pytest.raises(UserError, match=r"seed_0.parquet: lacks the column 'no_such'"):
        read_trainings([file], ["kl", "no_such"])


def test_points_are_placed_on_the_answers_own_box() -> None:
    asked = samples([sample()] * 5)
    box = (20, 20, 40, 40)  # its left upper quarter lies on the object
    answers = [
        answer(box, [(20.0, 20.0, 1), (30.0, 30.0, 1), (35.0, 40.0, 0), (10.0, 25.0, 0)]),
        answer(None),
        answer(box, [(60.0, 40.0, 0)]),  # the image's corner
        answer(box, []),
        answer((5, 5, 5, 9), [(5, 5, 0)]),  # nothing lies on a box without area
    ]
    tables = [predictions(answers)]
    found = locate_points(asked, tables)
    assert found.to_numpy().tolist() == [
        [1, 0, 0, True, True],
        [1, 0.5, 0.5, True, False],
        [0, 0.75, 1, True, False],
        [0, -0.5, 0.25, False, True],
        [0, 2, 1, False, False],
    ]
    positive, negative = found[found["value"] == 1], found[found["value"] == 0]
    assert share_places(positive).tolist() == [1 / 2, 1 / 2, 0]
    assert share_places(negative).tolist() == [1 / 3, 1 / 3, 1 / 3]
    assert len(locate_points(asked, tables * 2)) == 10
    none = locate_points(asked, [predictions([answer(None)] * 5)])
    assert share_places(none).tolist() == [0, 0, 0]
    nowhere = predictions([answer(box, [(float("nan"), 5, 0)])] * 5)
    with pytest.raises(UserError, match=r"sample 's0': the point .* is not two finite numbers"):
        locate_points(asked, [nowhere])


def test_answers_are_found_by_run_seed_and_benchmark(tmp_path: Path) -> None:
    files, tables = [], [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for count, table in enumerate(tables, start=1):
        write_table(table, samples([sample()] * count))
    for seed in ("base/seed_0", "it/seed_0", "it/seed_1"):
        for count, table in enumerate(tables, start=1):
            files.append(tmp_path / seed / table.name)
            write_table(files[-1], predictions([answer(None)] * count))
    first, second = read_pairs(tables, files, "AB")
    assert (first.title, second.title) == ("A", "B")
    assert {run: len(seeds) for run, seeds in second.runs.items()} == {"base": 1, "it": 2}
    assert all(len(table) == 2 for seeds in second.runs.values() for table in seeds)
    parts = [list(one.runs) for one in read_answers(tables, files[:3], "AB")]
    assert parts == [["base", "it"], ["base"]]
    with pytest.raises(UserError, match="B: there are predictions of base; give two runs' answers"):
        read_pairs(tables, files[:3], "AB")
    with pytest.raises(UserError, match=r"b.parquet: no predictions on it"):
        read_answers(tables, files[:1], "AB")


def test_bars_are_the_base_and_the_tables_runs_and_never_without_a_figure(tmp_path: Path) -> None:
    table = load_stage(PUBLISHED, Published).tables["table_4"]
    column = table.columns["reasonseg_giou"]
    rows = [row for run in ("base", *table.labels) for row in metric_rows(run, 0.5)]
    rows += metric_rows("sam_r1", 0.6, seed=3)
    bars = measure_runs(table, column, Measurements([write_metrics(tmp_path, rows)]))
    names = ["Base, no training", "Threshold 0.5", "Threshold 0.7", "Threshold 0.8", "Tiered"]
    assert list(bars) == names
    assert list(bars["Tiered"].values) == pytest.approx([0.51, 0.61])
    extra = table.model_copy(update={"extra": (Extra(name="Mine", run="mine"),)})
    assert measure_runs(extra, column, Measurements([tmp_path / "metrics.parquet"]))["Mine"] is None
    with pytest.raises(UserError, match=r"no giou of run 'threshold_0.5'"):
        measure_runs(table, column, Measurements([write_metrics(tmp_path, rows[:9], "few")]))
