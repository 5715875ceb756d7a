"""The page of data of one's own: what it shows of masks, of boxes alone, and of several seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from commands import call
from PIL import Image

from samr1.cli import report_own
from samr1.core.errors import UserError
from samr1.core.files import write_table
from samr1.core.schemas import COMPARISONS, OVERLAPS, SAMPLES
from samr1.evaluation.compare import compare
from samr1.evaluation.score import score_overlaps
from samr1.report.own import write_own_page
from samr1.report.tables.measured import Measurements

AGAIN = {"resamples": 200, "bootstrap_seed": 0}


def overlaps(run: str, seed: int, protocol: str, ious: Sequence[float], images: int) -> pa.Table:
    """A sample an image, each of 100 pixels; `seg_zero` adds 100 ignored ones to the target."""
    boxes = protocol == "rec"
    union = 200 if protocol == "seg_zero" else 100
    rows = [
        {
            "run": run,
            "seed": seed,
            "benchmark": "photos",
            "protocol": protocol,
            "sample_id": f"s{number}",
            "image_id": f"i{number % images}",
            "answered": True,
            "intersection": None if boxes else round(100 * iou),
            "union": None if boxes else union,
            "box_iou": iou if boxes else None,
        }
        for number, iou in enumerate(ious)
    ]
    return pa.Table.from_pylist(rows, OVERLAPS)


def write_page(
    folder: Path, *protocols: str, seeds: Sequence[int] = (0,), images: int = 3, **more: object
) -> str:
    """The page of `mine` over `base`, which gains 0.25 and a little by the seed."""
    base = {one: overlaps("base", 0, one, [0.25, 0.5, 0.75], images) for one in protocols}
    metrics = []
    mine = {
        (one, seed): overlaps("mine", seed, one, [0.5 + seed / 100, 0.75, 1.0], images)
        for one in protocols
        for seed in seeds
    }
    for number, table in enumerate([*base.values(), *mine.values()]):
        metrics.append(folder / f"metrics_{number}.parquet")
        write_table(metrics[-1], score_overlaps(table, **AGAIN))
    compared = [
        compare({seed: (mine[one, seed], base[one]) for seed in seeds}, **AGAIN)
        for one in protocols
    ]
    comparisons = folder / "comparisons.parquet"
    write_table(comparisons, pa.concat_tables(compared))
    samples = folder / "samples.parquet"
    rows = [{"sample_id": f"s{number}", "image_id": f"i{number % images}"} for number in range(3)]
    write_table(samples, pa.Table.from_pylist(rows, SAMPLES))
    Image.new("RGB", (4, 4)).save(folder / "curves.png")
    call(
        report_own.main,
        own="photos",
        samples=samples,
        metrics=metrics,
        comparisons=comparisons,
        examples=folder / "curves.png",
        curves=folder / "curves.png",
        gallery=folder / "gallery.html",
        data=folder / "data/index.html",
        policies="policies/mine/seed_0",
        micro_world="micro",
        output=folder / "index.html",
        **more,
    )
    return (folder / "index.html").read_text(encoding="utf-8")


def row(page: str, first: str) -> list[str]:
    """The cells of the table's row that begins with a cell."""
    line = next(one for one in page.split("<tr>") if first in one.split("</td>")[0])
    cells = (cell.split(">", 1)[1] for cell in line.split("</td>")[:-1])
    return [re.sub("</?strong>|<wbr>", "", cell).split(">")[-1] for cell in cells]


def test_base_and_trained_run_stand_side_by_side_with_their_difference(tmp_path: Path) -> None:
    page = write_page(tmp_path, "seg_zero", "lisa", "rec")
    heads = ["gIoU", "cIoU", "mean box IoU", "boxes of IoU &gt; 0.5", "unparseable"]
    assert all(f">{head}</th>" in page for head in heads)
    base, mine = (row(page, f"<code>{run}</code>") for run in ("base", "mine"))
    assert [cell.split(" ")[0] for cell in base[1:4]] == ["50.0", "50.0", "50.0"]
    assert [cell.split(" ")[0] for cell in mine[1:4]] == ["75.0", "75.0", "75.0"]
    assert base[4].startswith("33.3 [") and mine[4].startswith("66.7 [")
    assert mine[-3:] == ["0.0", "3", "1"]
    difference = row(page, "<code>mine</code> − <code>base</code>")
    assert difference[1:4] == ["+25.0 [+25.0, +25.0]"] * 3
    assert "▲" not in difference[1]  # one seed


def test_few_images_are_warned_of_and_one_has_no_interval(tmp_path: Path) -> None:
    page = write_page(tmp_path, "lisa", images=2)
    assert "<p>The part test has 2 images; intervals will be wide" in page
    assert row(page, "<code>mine</code> − <code>base</code>")[1] == "+25.0 [+25.0, +25.0]"
    page = write_page(tmp_path, "lisa", images=1)
    assert "<p>The part test has 1 image; it gives no interval" in page
    assert row(page, "<code>mine</code>")[1] == "75.0 –"
    assert row(page, "<code>mine</code> − <code>base</code>")[1] == "+25.0 –"


def test_the_page_leads_to_everything_else_and_holds_its_pictures(tmp_path: Path) -> None:
    page = write_page(tmp_path, "lisa")
    assert page.count('src="data:image/png;base64,') == 2
    assert 'href="gallery.html"' in page and 'href="data/index.html"' in page
    assert "--policy policies/mine/seed_0" in page
    assert "<blockquote>" in page and "Nothing here is comparable" in page


def test_data_with_boxes_alone_has_figures_of_boxes_alone(tmp_path: Path) -> None:
    page = write_page(tmp_path, "rec")
    assert ">mean box IoU</th>" in page and "gIoU" not in page and "pixels" not in page
    assert row(page, "<code>mine</code> − <code>base</code>")[1] == "+25.0 [+25.0, +25.0]"


def test_a_base_that_was_asked_otherwise_is_named(tmp_path: Path) -> None:
    asked = ["base", "sam_r1", "mine", "sam_r1_list"]
    page = write_page(tmp_path, "lisa", asked_otherwise=asked)
    said = "<code>base</code> is asked as <code>sam_r1</code>, <code>mine</code> as <code>sam_r1_l"
    assert said in page and "is asked as" not in write_page(tmp_path, "lisa")


def test_what_several_seeds_agree_on_is_marked(tmp_path: Path) -> None:
    page = write_page(tmp_path, "lisa", seeds=[0, 1, 2])
    assert row(page, "<code>mine</code> − <code>base</code>")[1].endswith("▲")
    assert row(page, "<code>mine</code>")[-1] == "3"
    assert "± " in row(page, "<code>mine</code>")[1]


def test_data_that_nothing_was_compared_on_is_refused(tmp_path: Path) -> None:
    write_page(tmp_path, "lisa")
    empty = tmp_path / "comparisons.parquet"
    write_table(empty, COMPARISONS.empty_table())
    others = dict.fromkeys(("examples", "curves", "gallery", "data_page"), tmp_path)
    measured = Measurements([tmp_path / "metrics_0.parquet"])
    page, samples = tmp_path / "page.html", SAMPLES.empty_table()
    with pytest.raises(UserError, match="photos: no run was compared on it"):
        write_own_page(page, "photos", samples, measured, [empty], policies=[], **others)
