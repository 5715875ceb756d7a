"""The studies from made-up results: what is packed, what pages say, how claims are judged."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import call
from made_up_study import write_evaluation, write_run, write_training

from samr1.cli import collect_study
from samr1.config.published import Beating, Collapse, Column, MoreData
from samr1.core.errors import UserError
from samr1.core.schemas import COMPARISONS
from samr1.report.studies.claims import (
    NOT,
    OPPOSITE,
    SHOWS,
    UNKNOWN,
    has_collapsed,
    judge_beating,
    judge_collapse,
    judge_more_data,
)
from samr1.report.studies.curves import CURVE
from samr1.report.studies.power import seeds_needed
from samr1.report.tables.differences import Comparisons

NO_KL = Collapse(claim="c", without_kl="no_kl_3x", with_kl="sam_r1_3x")
COLUMNS = [Column(label=m, benchmark="reasonseg_test", metric=m) for m in ("giou", "ciou")]


def collect(output: Path, results: Path | None = None) -> str:
    """Run the command; its page."""
    call(collect_study.main, output=output, **({} if results is None else {"results": results}))
    return (output / "README.md").read_text(encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_part_of_a_study_is_packed_and_told(tmp_path: Path) -> None:
    results, output = tmp_path / "results", tmp_path / "study"
    with pytest.raises(UserError, match="of no run of the studies"):
        collect(output, results)
    write_run(results, "sam_r1", 0, 0.7)
    with pytest.raises(UserError, match="run 'base', with which the tables begin"):
        collect(output, results)
    write_evaluation(results, "base", 0, 0.5)
    for seed in (1, 2):
        write_run(results, "sam_r1", seed, 0.7 + 0.01 * seed)
        write_run(results, "threshold_0.7", seed, 0.6 + 0.02 * seed)
    write_evaluation(results, "threshold_0.5", 0, 0.9)  # its training is not there
    write_run(results, "sam_r1_0.3x", 2, 0.65)
    page = collect(output, results)
    assert "**6 of 149 trainings are there**" in page
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    assert ["`sam_r1`", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9", "0, 1, 2"] in rows
    assert ["`threshold_0.5`", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9", "none"] in rows
    seeds, counted = dict[str, str](), False
    for row in rows:
        counted = (row[-1] == "seeds" or counted) if row else False  # the rows below that heading
        seeds |= {row[0]: row[-1]} if counted else {}
    assert seeds["Tiered, micro policy"] == "3" and seeds["Threshold 0.7, micro policy"] == "2"
    assert seeds["Threshold 0.7 − `sam_r1`"] == "2"  # the seeds of both
    assert seeds["`sam_r1_0.3x`, 192 samples in 12 steps"] == "1"
    assert seeds["`sam_r1_0.3x` − `sam_r1`"] == "1"
    assert not any(name.startswith("`sam_r1_3x`") for name in seeds)
    assert "Threshold 0.5 − `sam_r1`" not in seeds
    right = [row for row in rows if row and "RefCOCOg test right object" in row]
    # Tables 4 to 6, the sweep and the long trainings, those with runs also as differences.
    assert len(right) == 7 and {row[-1] for row in right} == {
        "RefCOCOg test gIoU if right",
        "seeds",
    }
    assert not (output / "data" / "metrics" / "threshold_0.5").exists()
    assert "Training improves the base policy: **shows**" in page
    assert "](ablations.png)" in page and (output / "ablations.pdf").is_file()
    assert "](long.png)" not in page and not list(output.glob("long*.p[nd][gf]"))
    assert "Tiers beat every fixed threshold: **cannot be said yet**" in page
    # From the packed files alone it is the same, byte for byte.
    before = files(output)
    shutil.rmtree(results)
    assert collect(output) == page and files(output) == before
    # A later packing adds to it.
    write_run(results, "grpo", 3, 0.7)
    assert "**7 of 149 trainings" in collect(output, results)


def test_table_6_says_what_each_run_has_otherwise(tmp_path: Path) -> None:
    results, output = tmp_path / "results", tmp_path / "study"
    write_evaluation(results, "base", 0, 0.5)
    for seed in range(5):
        write_run(results, "sam_r1", seed, 0.7)
        write_run(results, "gspo", seed, 0.71 + 0.01 * seed)
        write_run(results, "threshold_0.5", seed, 0.69 - 0.02 * seed)
    page = collect(output, results)
    assert "## Table 6. Since the paper" in page
    assert (
        "- `gspo`: `train.clip_low: 0.0003`, `train.clip_high: 0.0004`, "
        "`train.normaliser: response`, `train.ratio: sequence`" in page
    )
    assert "- `filter_groups`: `train.filter_groups.max_num_gen_batches: 3`" in page
    # A step of 0.01 a seed deviates by 1.6 points, and five seeds are a pilot.
    power = page.split("## How many seeds")[1].split("\n## ")[0]
    (row,) = [line for line in power.splitlines() if line.startswith("| `gspo` − `sam_r1`")]
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["1.6: 11", "1.6: 11"]
    assert "`sapo` − `sam_r1`" not in power
    # The table and a claim compare these two the other way round each.
    assert power.count("`threshold_0.5` − `sam_r1`") == 1
    assert "`sam_r1` − `threshold_0.5`" not in power


def test_the_seeds_that_it_takes_are_those_that_find_the_difference() -> None:
    # Simulated: a paired t-test over so many seeds finds the difference four times in five.
    deviation, difference = 0.02, 0.015
    seeds = seeds_needed(deviation, difference, 0.8)
    draws = np.random.default_rng(0).normal(difference, deviation, (20_000, seeds))
    t = draws.mean(1) / (draws.std(1, ddof=1) / seeds**0.5)
    bound = np.quantile(np.random.default_rng(1).standard_t(seeds - 1, 200_000), 0.975)
    assert (t > bound).mean() == pytest.approx(0.8, abs=0.03)
    assert seeds_needed(0.0, difference, 0.8) == 2
    assert seeds_needed(2 * deviation, difference, 0.8) > 3 * seeds


def comparisons(**gains: Sequence[tuple[float, float, float]]) -> Comparisons:
    """`run__rival=[(value, ci_high, p) a column]`, over three seeds."""
    rows = []
    for pair, columns in gains.items():
        run, rival = pair.split("__")
        for column, (value, high, p) in zip(COLUMNS, columns, strict=True):
            row = {"run": run, "baseline": rival, "benchmark": column.benchmark}
            row |= {"metric": column.metric, "protocol": "seg_zero", "value": value}
            row |= {"ci_low": 0.0, "ci_high": high, "p": p, "seeds": [0, 1, 2], "n": 9}
            rows.append({name: row.get(name) for name in COMPARISONS.names})
    return Comparisons(rows)


def beats(*rivals: str) -> Beating:
    return Beating(claim="c", run="ours", rivals=rivals)


UP, DOWN, NOISE = (0.02, 0.03, 0.001), (-0.02, 0.0, 0.001), (0.02, 0.05, 0.2)


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        ((UP, NOISE), (UP, UP), SHOWS),
        ((UP, UP), (NOISE, NOISE), NOT),
        ((UP, DOWN), (UP, UP), NOT),
        ((DOWN, NOISE), (NOISE, NOISE), OPPOSITE),
        ((DOWN, DOWN), (UP, UP), NOT),
        # 0.02 is below 0.05 alone, and not as the least of four.
        (((0.02, 0.03, 0.02), NOISE), (NOISE, NOISE), NOT),
    ],
)
def test_a_run_beats_its_rivals_by_the_declared_rule(one: tuple, two: tuple, verdict: str) -> None:
    found = comparisons(ours__one=one, ours__two=two)
    assert judge_beating(beats("one", "two"), COLUMNS, found).verdict == verdict


def test_two_runs_are_read_either_way_round() -> None:
    row = comparisons(other__ours=(UP, NOISE)).find("ours", "other", "reasonseg_test", "giou")
    assert row is not None and (row["run"], row["baseline"]) == ("ours", "other")
    assert (row["value"], row["ci_low"], row["ci_high"], row["p"]) == (-0.02, -0.03, 0.0, 0.001)


def test_nothing_is_said_of_too_few_seeds_or_steps() -> None:
    judged = judge_beating(beats("other"), COLUMNS, comparisons())
    assert judged.verdict == UNKNOWN and "has 0 of the 3 seeds" in judged.why
    short = curves({"no_kl_3x": [[1.0] * 99] * 3, "sam_r1_3x": [[1.0] * 99] * 3})
    judged = judge_collapse(NO_KL, short)
    assert judged.verdict == UNKNOWN and "99 steps" in judged.why


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        (((0.0, 0.009, 0.9), (0.0, 0.005, 0.9)), SHOWS),
        (((0.0, 0.011, 0.9), (0.0, 0.005, 0.9)), NOT),
        ((UP, NOISE), OPPOSITE),
    ],
)
def test_more_data_does_not_help_where_no_interval_reaches_a_point(
    columns: tuple, verdict: str
) -> None:
    claim = MoreData(claim="c", larger="sam_r1_3x", smaller="sam_r1")
    found = comparisons(sam_r1_3x__sam_r1=columns)
    assert judge_more_data(claim, COLUMNS, found).verdict == verdict


def curves(rewards: dict[str, list[list[float]]]) -> pa.Table:
    rows = [
        {"run": run, "seed": seed, "step": step, "reward_total": reward, "iou": 0.5, "kl": 0.1}
        for run, seeds in rewards.items()
        for seed, steps in enumerate(seeds)
        for step, reward in enumerate(steps)
    ]
    return pa.Table.from_pylist(rows, CURVE)


def test_collapse_is_of_most_seeds_without_kl_and_not_with_it() -> None:
    falls, stays = [4.0] * 100 + [1.9] * 10, [2.0] * 50 + [3.9] * 60
    assert has_collapsed(falls) and not has_collapsed(stays)
    assert not has_collapsed([4.0] * 100 + [2.1] * 10)
    for without, with_kl, verdict in (
        ([falls, falls, stays], [stays, stays, falls], SHOWS),
        ([stays, stays, falls], [stays, stays, stays], NOT),
        ([falls, falls, falls], [falls, falls, falls], NOT),
        ([stays, stays, stays], [falls, falls, stays], OPPOSITE),
    ):
        table = curves({"no_kl_3x": without, "sam_r1_3x": with_kl})
        assert judge_collapse(NO_KL, table).verdict == verdict


def test_long_trainings_show_reward_and_kl_by_step(tmp_path: Path) -> None:
    results, output = tmp_path / "results", tmp_path / "study"
    write_evaluation(results, "base", 0, 0.5)
    for seed in (0, 1):
        write_evaluation(results, "no_kl_3x", seed, 0.6)
        write_training(results, "no_kl_3x", seed, [2.0 + seed] * 12 + [4.0] * 12)
    page = collect(output, results)
    rows = [line.split("|")[1:] for line in page.splitlines() if line.startswith(("| 1–2", "| 23"))]
    assert [row[1].strip() for row in rows] == ["2.50 ± 0.71", "4.00 ± 0.00"]
    assert pq.read_table(output / "curves.parquet").num_rows == 48
    assert "](long.png)" in page and (output / "long.pdf").is_file()
