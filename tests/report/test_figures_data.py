"""What the figures show, as numbers: curves, points on boxes, bins, lengths and bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from figure_world import answer, predictions, samples, write_training
from made_up_metrics import PUBLISHED, metric_rows, write_metrics

from samr1.config.published import load_published
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.evaluation.bootstrap import interval_over_seeds
from samr1.evaluation.score import sample_ious
from samr1.method.rewards import tiered_iou_reward
from samr1.method.rewards.segmentation import TIERS
from samr1.report.figures.ablations import measure_bars
from samr1.report.figures.answers import count_bins, mean_shares, read_answers
from samr1.report.figures.curves import mean_curve, read_runs, seed_curve
from samr1.report.figures.histograms import EDGES
from samr1.report.figures.lengths import answer_lengths, length_edges
from samr1.report.figures.points import locate_points
from samr1.report.tables.measured import Measurements


def test_runs_keep_the_order_of_their_files_and_their_own_seeds(tmp_path: Path) -> None:
    files = [
        write_training(tmp_path, run, seed, clip_fraction_low=[0.0], iou=[0.0])
        for run, seed in (("sam_r1", 0), ("grpo", 0), ("grpo", 2))  # grpo lacks its seed 1
    ]
    runs = read_runs(files)
    assert {run: [one.seed for one in seeds] for run, seeds in runs.items()} == {
        "sam_r1": ["seed_0"],
        "grpo": ["seed_0", "seed_2"],
    }
    assert list(runs) == ["sam_r1", "grpo"]


def test_the_mean_curve_is_of_the_seeds_that_measured_something(tmp_path: Path) -> None:
    seeds: list[list[float | None]] = [[1.0, float("nan"), None], [3.0, 5.0, None, 7.0]]
    files = [write_training(tmp_path, "run", i, kl=values) for i, values in enumerate(seeds)]
    curves = [seed_curve(one, "kl") for one in read_runs(files)["run"]]
    steps, mean = mean_curve(curves)
    np.testing.assert_array_equal(steps, [0, 1, 2, 3])
    np.testing.assert_array_equal(mean, [2.0, 5.0, np.nan, 7.0])


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.parquet"
    write_table(path, samples(1))
    with pytest.raises(UserError, match="give the metrics that train_policy wrote"):
        read_runs([path])
    file = write_training(tmp_path, "run", 0, kl=[1.0])
    with pytest.raises(UserError, match=r"seed_0.parquet: lacks the column 'no_such'"):
        seed_curve(read_runs([file])["run"][0], "no_such")


def test_points_are_placed_on_the_answers_own_box() -> None:
    box = (20.0, 10.0, 40.0, 20.0)  # its left half lies on the object
    answers = [
        answer(box, [(20.0, 10.0, 1), (30.0, 15.0, 1), (35.0, 20.0, 0), (10.0, 15.0, 0)]),
        answer(None),
        answer(box, [(60.0, 40.0, 0)]),  # the image's corner
        answer(box, []),
    ]
    tables = [predictions(answers)]
    positive, negative = (locate_points(samples(4), tables, value) for value in (1, 0))
    np.testing.assert_array_equal(positive.position, [(0, 0), (0.5, 0.5)])
    np.testing.assert_array_equal(positive.in_box, [True, True])
    np.testing.assert_array_equal(positive.on_object, [True, False])
    np.testing.assert_array_equal(negative.position, [(0.75, 1), (-0.5, 0.5), (2, 3)])
    np.testing.assert_array_equal(negative.in_box, [True, False, False])
    np.testing.assert_array_equal(negative.on_object, [False, True, False])
    assert positive.shares() == (1 / 2, 1 / 2, 0)
    assert negative.shares() == (1 / 3, 1 / 3, 1 / 3)
    twice = locate_points(samples(4), tables * 2, 0)
    assert len(twice.position) == 6 and twice.shares() == negative.shares()


def test_no_point_has_no_shares() -> None:
    flat = answer((5, 5, 5, 9), [(5, 5, 0)])
    none = locate_points(samples(2), [predictions([answer(None), flat])], 0)
    assert none.position.shape == (0, 2) and np.isnan(none.shares()).all()


def test_a_point_that_is_nowhere_is_refused() -> None:
    table = predictions([answer((0, 0, 9, 9), [(float("nan"), 5, 0)])])
    with pytest.raises(UserError, match=r"sample 's0': the point .* is not two finite numbers"):
        locate_points(samples(1), [table], 0)


def test_bins_are_the_tiers_of_the_reward() -> None:
    ious = np.array([0.0, 0.2, 0.5, 0.5 + 1e-9, 0.7, 0.75, 0.8, 0.8 + 1e-9, 1.0, 1.0])
    edges = np.array([0.0, *sorted(bound for bound, _ in TIERS), 1.0])
    rewards = np.array([tiered_iou_reward(iou) for iou in ious])
    expected = [float(np.mean(rewards == reward)) for reward in (0, 2, 3, 4)]
    assert count_bins(ious, edges).tolist() == expected == [0.3, 0.2, 0.2, 0.3]
    assert set(edges) <= set(EDGES)
    assert count_bins(ious, EDGES).sum() == pytest.approx(1)
    assert mean_shares([ious, np.ones(3)], edges).tolist() == pytest.approx([0.15, 0.1, 0.1, 0.65])


def test_an_answers_iou_is_0_where_it_could_not_be_read() -> None:
    answers = [answer((10, 10, 30, 20)), answer((10, 10, 20, 20)), answer(None)]
    assert sample_ious(samples(3), predictions(answers), "seg_zero").tolist() == [1.0, 0.5, 0.0]


def test_lengths_of_answers_and_the_bins_that_hold_them() -> None:
    lengths = answer_lengths(predictions([answer((0, 0, 9, 9)), answer(None, think=None)]))
    assert lengths["response_length"].tolist() == [9, 9]
    assert lengths["think_length"].tolist() == [3, 0]
    assert length_edges([np.array([3.0, 5.0]), np.array([4.0])]).tolist() == [2.5, 3.5, 4.5, 5.5]
    wide = length_edges([np.array([0.0, 400.0])])
    assert wide[0] < 0 and wide[-1] > 400 and len(wide) <= 41 and set(np.diff(wide)) == {11}


def test_answers_are_found_by_run_seed_and_benchmark(tmp_path: Path) -> None:
    def write(run: str, seed: int, benchmark: str) -> Path:
        path = tmp_path / run / f"seed_{seed}" / f"{benchmark}.parquet"
        write_table(path, predictions([answer(None)] * (2 if benchmark == "b" else 1)))
        return path

    files = [
        write(run, seed, name) for run, seed in (("base", 0), ("it", 0), ("it", 1)) for name in "ab"
    ]
    tables = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for count, table in enumerate(tables, start=1):
        write_table(table, samples(count))
    first, second = read_answers(tables, files, ["A", "B"])
    assert (first.title, second.title) == ("A", "B")
    assert {run: len(seeds) for run, seeds in second.runs.items()} == {"base": 1, "it": 2}
    assert all(len(table) == 2 for seeds in second.runs.values() for table in seeds)
    with pytest.raises(UserError, match=r"b.parquet: no predictions of run 'it'"):
        read_answers(tables, files[:3], ["A", "B"])
    with pytest.raises(UserError, match=r"a.parquet: 1 runs among the predictions"):
        read_answers(tables, files[:2], ["A", "B"])


def test_bars_are_the_tables_figures_with_every_seed(tmp_path: Path) -> None:
    table = load_published(PUBLISHED).tables["table_4"]
    runs = [row.run for row in table.rows if row.run]
    rows = [row for run in ("base", *runs) for row in metric_rows(run, 0.5)]
    rows += metric_rows("sam_r1", 0.6, seed=3)
    measurements = Measurements([write_metrics(tmp_path, rows)])
    base, *bars = measure_bars(table, table.columns["reasonseg_giou"], measurements)
    assert (base.name, [bar.name for bar in bars]) == (
        "Base, no training",
        ["Threshold 0.5", "Threshold 0.7", "Threshold 0.8", "Tiered"],
    )
    assert base.seeds == pytest.approx((51,)) and bars[-1].seeds == pytest.approx((51, 61))
    low, high = interval_over_seeds([0.51, 0.61], [(0.5, 0.52), (0.6, 0.62)])
    reach = (100 * (0.56 - low), 100 * (high - 0.56))
    assert (bars[-1].value, bars[-1].below, bars[-1].above) == pytest.approx((56, *reach))
    assert bars[-1].farthest == pytest.approx(100 * high)


def test_a_bar_may_have_no_interval_but_never_no_figure(tmp_path: Path) -> None:
    table = load_published(PUBLISHED).tables["table_5"]
    runs = ["base", *(row.run for row in table.rows if row.run)]
    rows = [
        row | {"ci_low": None, "ci_high": None} for run in runs for row in metric_rows(run, 0.5)
    ]
    column = table.columns["reasonseg_giou"]
    bars = measure_bars(table, column, Measurements([write_metrics(tmp_path, rows)]))
    assert all(np.isnan((bar.below, bar.above)).all() for bar in bars)
    assert bars[0].farthest == pytest.approx(51)
    with pytest.raises(UserError, match="no giou of run 'grpo'"):
        measure_bars(table, column, Measurements([write_metrics(tmp_path, metric_rows("base", 1))]))
