"""Tables from made-up metrics: what they print, what they keep as data, and how they fail."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import call
from made_up_metrics import (
    CONFIG,
    PUBLISHED,
    cells_of,
    main_table,
    make,
    metric_rows,
    write_all_metrics,
    write_comparisons,
    write_metrics,
)

from samr1.cli import collect_tables
from samr1.config.merge import load_experiment
from samr1.config.published import Extra, Published
from samr1.config.schema import load_stage
from samr1.core.errors import UserError
from samr1.report.tables.layout import Addition
from samr1.report.tables.markdown import aligned_table, percent
from samr1.report.tables.measured import Measurements
from samr1.report.tables.page import publish_table


@pytest.fixture
def metrics(tmp_path: Path) -> list[Path]:
    return write_all_metrics(tmp_path)


def test_published_figures_are_the_papers() -> None:
    tables = load_stage(PUBLISHED, Published).tables
    assert list(tables) == [f"table_{number}" for number in range(1, 6)]
    counts = {name: sum(len(row.figures) for row in table.rows) for name, table in tables.items()}
    assert counts == {"table_1": 34, "table_2": 21, "table_3": 5, "table_4": 16, "table_5": 16}
    ours = {row.method: row.figures for row in tables["table_1"].rows}["SAM-R1 (Ours)"]
    assert ours == {"val_giou": 64.0, "val_ciou": 55.8, "test_giou": 60.2, "test_ciou": 54.3}
    tiered, both = tables["table_4"].rows[-1], tables["table_5"].rows[-1]
    assert tiered.figures == both.figures  # one run in both tables
    assert all(f"Table {name[-1]}" in row.source for name, t in tables.items() for row in t.rows)


def test_a_figure_without_a_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(PUBLISHED.read_text().replace("{unstated: 63.8}", "{untold: 63.8}"))
    with pytest.raises(UserError, match=r"published.yaml: tables.table_3.rows = .*untold"):
        load_stage(path, Published)


def test_micro_page_warns_first_and_keeps_the_papers_row_apart(
    tmp_path: Path, metrics: list[Path]
) -> None:
    page, records = make("table_1", tmp_path, metrics, "micro")
    first = page.splitlines()[0]
    assert "micro world" in first and "not comparable with published ones" in first
    rows = main_table(page)
    assert rows["SAM-R1 (Ours)"]["paper test gIoU"] == "60.2"
    assert rows["SAM-R1 (Ours)"]["measured test gIoU"] == "–"
    assert rows["SAM-R1, micro policy"]["paper test gIoU"] == "–"
    assert rows["SAM-R1, micro policy"]["measured test gIoU"] == "**45.0** [44.0, 46.0]"
    assert rows["SAM-R1, micro policy"]["n"] == "500 / 501"
    assert rows["SAM-R1, micro policy"]["unparseable"] == "1.5 / 1.5"
    assert rows["Base micro policy, no training"]["measured val gIoU"] == "**40.0** [39.0, 41.0]"
    assert rows["SAM4MLLM"]["paper test gIoU"] == "–"
    assert not any(record["run"] == "qwen2.5vl_3b" for record in records)
    assert not any(record["published"] and record["measured"] for record in records)


def test_a_scale_of_adapters_has_rows_and_a_note_of_its_own(
    tmp_path: Path, metrics: list[Path]
) -> None:
    card = {"scale": "card", "comparable": False}
    stage = load_experiment(CONFIG, "paper").table_stage("table_1").model_copy(update=card)
    page = tmp_path / "table_1.md"
    publish_table(stage, Measurements(metrics), Addition(), tmp_path / "table_1.parquet", page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("> Scale `card`: measured figures are not comparable with published one")
    assert "micro" not in text.lower()
    rows = main_table(text)
    assert rows["SAM-R1 (Ours)"]["measured val gIoU"] == "–"
    assert rows["SAM-R1, scale card"]["paper val gIoU"] == "–"
    assert rows["SAM-R1, scale card"]["measured val gIoU"] == "**44.0** [43.0, 45.0]"


def test_paper_page_sets_measured_beside_published(tmp_path: Path, metrics: list[Path]) -> None:
    page, records = make("table_1", tmp_path, metrics, "paper")
    assert page.startswith("## Table 1.") and "micro" not in page
    rows = main_table(page)
    assert rows["SAM-R1 (Ours)"]["paper val gIoU"] == "64.0"
    assert rows["SAM-R1 (Ours)"]["measured val gIoU"] == "**44.0** [43.0, 45.0]"
    assert rows["Qwen2.5VL-3B+SAM2"]["measured val gIoU"] == "**42.0** [41.0, 43.0]"
    assert rows["Base policy, no training"]["paper val gIoU"] == "–"
    assert rows["OVSeg"]["measured val gIoU"] == "–"
    pair = [r for r in records if r["run"] == "sam_r1" and r["published"] is not None]
    assert [r["published"] for r in pair] == pytest.approx([0.640, 0.558, 0.602, 0.543])
    assert pair[0]["measured"] == pytest.approx(0.44) and pair[0]["protocol"] == "seg_zero"


def test_lisa_protocol_has_a_table_of_its_own(tmp_path: Path, metrics: list[Path]) -> None:
    page, records = make("table_1", tmp_path, metrics, "micro")
    _, below = page.split("The same predictions under the protocol `lisa`")
    rows = main_table(below)
    assert rows["SAM-R1, micro policy"]["measured val gIoU"] == "**44.1** [43.1, 45.1]"
    assert "OVSeg" not in rows
    lisa = [r for r in records if r["protocol"] == "lisa"]
    assert {r["run"] for r in lisa} == {"base", "sam_r1"}
    assert all(r["published"] is None for r in lisa)


def test_a_missing_metric_names_run_and_benchmark(tmp_path: Path, metrics: list[Path]) -> None:
    rows = [r for r in metric_rows("sam_r1", 0.5) if r["benchmark"] != "reasonseg_test"]
    partial = write_metrics(tmp_path, rows, "partial")
    others = [path for path in metrics if "sam_r1" not in path.name]
    with pytest.raises(UserError) as error:
        make("table_1", tmp_path, [*others, partial], "micro")
    message = str(error.value)
    assert "'sam_r1'" in message and "'reasonseg_test'" in message and "\n" not in message
    assert not list(tmp_path.glob("table_1.*"))


def test_a_figure_given_twice_is_refused(tmp_path: Path, metrics: list[Path]) -> None:
    twice = write_metrics(tmp_path, metric_rows("base", 0.3), "again")
    with pytest.raises(UserError, match="also in"):
        make("table_3", tmp_path, [*metrics, twice], "micro")


def test_seeds_give_mean_and_deviation(tmp_path: Path) -> None:
    files = [
        write_metrics(tmp_path, metric_rows("base", 0.40), "base"),
        write_metrics(tmp_path, metric_rows("sam_r1", 0.52, seed=1), "one"),
        write_metrics(tmp_path, metric_rows("sam_r1", 0.50, seed=0), "zero"),
    ]
    page, records = make("table_3", tmp_path, files, "micro")
    cell = main_table(page)["SAM-R1, micro policy"]["measured mean box IoU"]
    assert cell.startswith("**56.0 ± 1.4** [")
    assert main_table(page)["SAM-R1, micro policy"]["seeds"] == "2"
    assert main_table(page)["Base micro policy, no training"]["seeds"] == "–"
    row = next(r for r in records if r["run"] == "sam_r1" and r["metric"] == "box_iou")
    assert row["seeds"] == [0, 1] and row["sd_over_seeds"] == pytest.approx(0.0141, abs=1e-4)
    assert (row["image_ci_low"], row["image_ci_high"]) == pytest.approx((0.55, 0.57))
    # Two seeds: Student's t with one degree of freedom, 12.7 standard errors of 1.0 point.
    assert row["measured"] - row["ci_low"] == pytest.approx(0.127, abs=0.01)


def test_table_3_has_both_box_metrics(tmp_path: Path, metrics: list[Path]) -> None:
    rows = main_table(make("table_3", tmp_path, metrics, "paper")[0])
    assert rows["Visual-RFT"]["paper mean box IoU"] == "43.9"
    ours = rows["SAM-R1 (Ours)"]
    assert ours["paper mean box IoU"] == "–" and ours["paper metric not stated"] == "63.8"
    assert ours["measured mean box IoU"] == "**49.0** [48.0, 50.0]"
    assert ours["measured accuracy at box IoU > 0.5"] == "**49.2** [48.2, 50.2]"


def test_table_4_shows_the_base_and_cannot_do_without(tmp_path: Path, metrics: list[Path]) -> None:
    rows = main_table(make("table_4", tmp_path, metrics, "micro")[0])
    assert rows["0.8"]["paper ReasonSeg cIoU"] == "50.8"
    assert rows["Threshold 0.8, micro policy"]["measured ReasonSeg cIoU"].startswith("**51.2**")
    assert "Base micro policy, no training" in rows
    without = [path for path in metrics if "base" not in path.name]
    with pytest.raises(UserError, match="run 'base'"):
        make("table_4", tmp_path, without, "micro")


def differences(page: str) -> dict[str, list[str]]:
    """The cells of the table of differences, by the row's name."""
    return {name: rest for name, *rest in cells_of(page, "| Difference")[1:]}


def test_differences_over_seeds_are_marked_after_correction(
    tmp_path: Path, metrics: list[Path]
) -> None:
    several = ["--comparisons", str(write_comparisons(tmp_path, seeds=(0, 1)))]
    page, records = make("table_4", tmp_path, metrics, "micro", *several)
    cells = differences(page)
    assert list(cells) == [f"Threshold 0.{k} − `sam_r1`" for k in (5, 7, 8)]
    half, seven, eight = cells.values()
    # p is 0.02, 0.005 and 0.00125 in four columns each, and the correction takes it by 4, 8 and 12.
    assert half[0] == "**+1.0** [−1.5, +3.5]"
    assert seven[0] == "**+2.0** [−0.5, +4.5] ▲"
    assert eight[0] == "**+3.0** [+0.5, +5.5] ▲" and eight[1].startswith("**−3.0**")
    assert eight[1].endswith(" ▼") and eight[-1] == "2"
    assert "Holm's correction for these 12 differences" in page
    assert "single seed" not in page
    found = {
        r["run"]: r["p_corrected"]
        for r in records
        if (r["metric"], r["benchmark"]) == ("giou_difference", "reasonseg_test")
    }
    expected = {"threshold_0.5": 0.08, "threshold_0.7": 0.04, "threshold_0.8": 0.015}
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_difference_of_one_seed_has_its_interval_and_no_mark(
    tmp_path: Path, metrics: list[Path]
) -> None:
    page, records = make("table_4", tmp_path, metrics, "micro")
    assert differences(page)["Threshold 0.8 − `sam_r1`"][0] == "**+3.0** [+0.5, +5.5]"
    assert not set("▲▼") & set(page) and "another seed could turn round" in page
    assert {r["p_corrected"] for r in records} == {None}
    assert "on another the last digits differ" in page


def test_a_run_of_ones_own_has_its_row_and_its_difference(
    tmp_path: Path, metrics: list[Path]
) -> None:
    plain = [Extra(name="Plain GRPO", run="grpo")]
    page, _ = make("table_4", tmp_path, metrics, "micro", extra=plain)
    assert list(main_table(page))[-1] == "Plain GRPO"
    assert main_table(page)["Plain GRPO"]["measured ReasonSeg gIoU"] == "**53.0** [52.0, 54.0]"
    assert differences(page)["Plain GRPO − `sam_r1`"][0] == "**+1.0** [−1.5, +3.5]"


def test_the_checkpoint_is_said_below_and_kept(tmp_path: Path, metrics: list[Path]) -> None:
    page, _ = make("table_4", tmp_path, metrics, "micro")
    assert page.rstrip().splitlines()[-1].startswith("One checkpoint of each training for all")
    assert "`checkpoint: last`" in page
    assert pq.read_schema(tmp_path / "table_4.parquet").metadata[b"checkpoint"] == b"last"


def test_bytes_do_not_depend_on_the_order_of_files(tmp_path: Path, metrics: list[Path]) -> None:
    make("table_4", tmp_path, metrics, "smoke")
    before = [(tmp_path / f"table_4.{end}").read_bytes() for end in ("md", "parquet")]
    make("table_4", tmp_path, [*metrics[::-1], metrics[0]], "smoke")  # one file twice is one file
    assert [(tmp_path / f"table_4.{end}").read_bytes() for end in ("md", "parquet")] == before


def test_collected_page_says_the_note_once(tmp_path: Path, metrics: list[Path]) -> None:
    make("table_3", tmp_path, metrics, "micro")
    make("table_4", tmp_path, metrics, "micro")
    pages = [str(tmp_path / "table_4.md"), str(tmp_path / "table_3.md")]
    output = tmp_path / "README.md"
    call(collect_tables.main, tables=pages, output=output)
    text = output.read_text(encoding="utf-8")
    assert "micro world" in text.splitlines()[0] and text.count("not comparable") == 1
    assert text.index("## Table 3.") < text.index("## Table 4.")
    assert "([table_3.md](table_3.md))" in text
    make("table_4", tmp_path, metrics, "paper")
    with pytest.raises(UserError, match="different scales"):
        call(collect_tables.main, tables=pages, output=output)


def test_markdown_details() -> None:
    assert percent(-0.0001, signed=True) == "+0.0" and percent(None) == "–"
    assert (
        aligned_table(["a|b", "c"], [["d", ""]])
        == "| a\\|b |   c |\n| ---- | --: |\n| d    |   – |"
    )
