"""What the tables say below their rows: gain, overlap, clip fractions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from answer_world import sample, write_training
from answer_world import samples as samples_of
from made_up_metrics import (
    cells_of,
    main_table,
    make,
    metric_rows,
    write_all_metrics,
    write_comparisons,
    write_metrics,
)

from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.core.schemas import COMPARISONS


@pytest.fixture
def metrics(tmp_path: Path) -> list[Path]:
    return write_all_metrics(tmp_path)


def test_gain_over_base_with_its_paired_interval(tmp_path: Path, metrics: list[Path]) -> None:
    bare, _ = make("table_1", tmp_path, metrics, "micro")
    line = next(line for line in bare.splitlines() if line.startswith("| RefCOCOg test gIoU"))
    assert "**+4.0**" in line and "+9.1 %" in line and "[" not in line
    comparison = {
        "run": "sam_r1",
        "baseline": "base",
        "benchmark": "refcocog_test",
        "metric": "giou",
        "protocol": "seg_zero",
        "value": 0.04,
        "ci_low": 0.031,
        "ci_high": 0.052,
        "sd_over_seeds": None,
        "p": 0.001,
        "seeds": [0],
        "n": 504,
    }
    path = tmp_path / "comparison.parquet"
    write_table(path, pa.Table.from_pylist([comparison], COMPARISONS))
    page, records = make("table_1", tmp_path, metrics, "micro", "--comparisons", str(path))
    line = next(line for line in page.splitlines() if line.startswith("| RefCOCOg test gIoU"))
    assert "[+3.1, +5.2]" in line
    gain = next(
        r for r in records if (r["metric"], r["benchmark"]) == ("giou_gain", "refcocog_test")
    )
    assert (gain["ci_low"], gain["ci_high"]) == (0.031, 0.052)


def test_table_2_counts_shared_images(tmp_path: Path, metrics: list[Path]) -> None:
    def samples(name: str, images: Sequence[str]) -> Path:
        path = tmp_path / f"{name}.parquet"
        rows = [sample(image_id=image, image_path=f"{image}.png") for image in images]
        write_table(path, samples_of(rows))
        return path

    training = samples("training", ["1", "1", "2", "3"])
    testa = samples("refcoco_testa", ["1", "2", "4", "4", "5"])
    apart = samples("reasonseg_val", ["reasonseg/val/a"])
    options = ["--training-samples", str(training), "--benchmark-samples", str(testa), str(apart)]
    with pytest.raises(UserError, match="table_2 shows the overlap of images: give"):
        make("table_2", tmp_path, metrics, "micro")
    page, records = make("table_2", tmp_path, metrics, "micro", *options)
    _, first, second = cells_of(page, "| Benchmark")
    assert first == ["ReasonSeg val", "1", "0", "0.0", "0"]
    assert second == ["RefCOCO testA", "4", "2", "50.0", "3"]
    overlap = {r["benchmark"]: r["measured"] for r in records if r["metric"] == "image_overlap"}
    assert overlap == {"reasonseg_val": 0.0, "refcoco_testa": 0.5}


def test_table_2_asks_first_and_every_sentence_and_says_whom_each_compares_with(
    tmp_path: Path, metrics: list[Path]
) -> None:
    overlap = tmp_path / "training.parquet"
    write_table(overlap, samples_of([sample()]))
    page, records = make("table_2", tmp_path, metrics, "micro", "--training-samples", str(overlap))
    header, *rows = cells_of(page, "| Figure")
    assert header == ["Figure", "sentences", "`base`", "`sam_r1`", "n"]
    assert [row[:2] for row in rows[:2]] == [
        ["RefCOCO testA cIoU", "first"],
        ["RefCOCO testA cIoU", "every"],
    ]
    assert len(rows) == 6 and [row[4] for row in rows[:2]] == ["502", "506"]
    # By each line's own protocol, whose made-up figures differ by 0.1 points.
    assert [row[2].split("**")[1] for row in rows[:2]] == ["42.2", "46.3"]
    assert (
        rows[0][3].split("**")[1]
        in main_table(page)["SAM-R1, micro policy"]["measured RefCOCO testA cIoU"]
    )
    assert "Seg-Zero's line of work" in page and "LAVT, ReLA and LISA" in page
    every = [r for r in records if r["benchmark"] == "refcoco_testa_all"]
    assert [(r["run"], r["protocol"], r["metric"]) for r in every] == [
        ("base", "lisa", "ciou"),
        ("sam_r1", "lisa", "ciou"),
    ]


def right_metrics(folder: Path, runs: Sequence[str]) -> list[Path]:
    """What and how of `runs`: of points on ReasonSeg test, of objects too on RefCOCOg test."""
    points, objects = ("right_point", "giou_right_point"), ("right_object", "giou_right")
    rows = []
    for place, run in enumerate(runs):
        for row in metric_rows(run, 0.5 + 0.1 * place):
            known = {"reasonseg_test": points, "refcocog_test": (*points, *objects)}
            if row["metric"] == "giou":
                names = known.get(row["benchmark"], ())
                rows += [row | {"metric": n, "value": 0.6 + 0.1 * place} for n in names]
    return [write_metrics(folder, rows, "right")]


def test_what_and_how_are_told_apart_and_every_column_says_by_what(
    tmp_path: Path, metrics: list[Path]
) -> None:
    for name in ("table_1", "table_4"):  # nothing is said where nobody measured it
        assert "*What* and *how*" not in make(name, tmp_path, metrics, "micro")[0]
    known = [*metrics, *right_metrics(tmp_path, ["base", "sam_r1"])]
    page, records = make("table_4", tmp_path, known, "micro")
    block = page[page.index("*What* and *how*") :]
    header, *rows = cells_of(block, "| Method")
    assert header[1:] == [
        *("ReasonSeg test right point", "ReasonSeg test gIoU if right"),
        *("RefCOCOg test right object", "RefCOCOg test gIoU if right"),
    ]
    assert [row[0] for row in rows] == ["Base micro policy, no training", "Tiered, micro policy"]
    assert all(cell.startswith("**70.0** [") for cell in rows[1][1:])
    told = {
        (r["run"], r["benchmark"]): r["measured"] for r in records if r["metric"] == "giou_right"
    }
    assert told == {("base", "refcocog_test"): 0.6, ("sam_r1", "refcocog_test"): 0.7}
    page, _ = make("table_1", tmp_path, known, "micro")
    gains = {row[0]: row[3] for row in cells_of(page, "| Benchmark")}
    assert gains["RefCOCOg test right object"] == gains["ReasonSeg test right point"] == "**+10.0**"
    assert "RefCOCOg test right point" not in gains and "ReasonSeg val right point" not in gains


def test_differences_in_what_and_how_are_marked_among_themselves(
    tmp_path: Path, metrics: list[Path]
) -> None:
    rows = pq.read_table(write_comparisons(tmp_path, seeds=(0, 1))).to_pylist()
    rows += [
        row | {"metric": "right_object", "p": 0.012}
        for row in rows
        if (row["benchmark"], row["metric"]) == ("refcocog_test", "giou")
    ]
    path = tmp_path / "all.parquet"
    write_table(path, pa.Table.from_pylist(rows, COMPARISONS))
    page, _ = make("table_4", tmp_path, metrics, "micro", "--comparisons", str(path))
    header, *lines = cells_of(page[page.index("The same of *what*") :], "| Difference")
    assert header[1] == "RefCOCOg test right object" and len(lines) == 3
    assert all(line[1].endswith("▲") for line in lines)  # 3 × 0.012: with 12 more none would be


def test_table_5_tells_clip_fractions_and_flags_idle_runs(
    tmp_path: Path, metrics: list[Path]
) -> None:
    files = [
        write_training(tmp_path, run, 0, clip_fraction_low=[0, low], clip_fraction_high=[0, high])
        for run, low, high in (
            ("grpo", 0.002, 0.004),
            ("grpo_clip_higher", 0.002, 0.004),
            ("grpo_token_level", 0.0, 0.0),
            ("sam_r1", 0.001, 0.0),
        )
    ]
    training = ["--training", *map(str, files)]
    page, records = make("table_5", tmp_path, metrics, "micro", *training)
    assert "No token ever reached a clipping bound in `grpo_token_level`:" in page
    line = next(line for line in page.splitlines() if line.startswith("| `grpo` "))
    assert "**0.1000**" in line and "**0.2000**" in line
    fractions = {r["run"]: r["measured"] for r in records if r["metric"] == "clip_fraction_low"}
    assert fractions["sam_r1"] == pytest.approx(0.0005)
    with pytest.raises(UserError, match="no training metrics of run 'grpo_token_level'"):
        kept = [str(path) for path in files if "token" not in str(path)]
        make("table_5", tmp_path, metrics, "micro", "--training", *kept)
