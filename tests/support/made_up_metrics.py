"""Made-up metrics for the tables' tests, and a way to run a table command on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from commands import call

from samr1.cli import make_table
from samr1.config.baselines import Baseline
from samr1.config.merge import load_experiment
from samr1.config.published import Extra
from samr1.config.schema import dump_stage
from samr1.core.files import write_table
from samr1.core.schemas import COMPARISONS, METRICS
from samr1.report.tables.layout import TABLE

CONFIG = Path(__file__).parents[2] / "config"
PUBLISHED = CONFIG / "published.yaml"
MASK_BENCHMARKS = (
    "reasonseg_val",
    "reasonseg_test",
    "refcoco_testa",
    "refcocop_testa",
    "refcocog_test",
)
EVERY_SENTENCE = ("refcoco_testa_all", "refcocop_testa_all", "refcocog_test_all")
RUNS = (
    "base",
    "qwen2.5vl_3b",
    "sam_r1",
    "threshold_0.5",
    "threshold_0.7",
    "threshold_0.8",
    "grpo",
    "grpo_token_level",
    "grpo_clip_higher",
    "seg_zero",
    "visual_rft",
)
METRIC_NAMES = {
    "seg_zero": ("giou", "ciou", "unparseable"),
    "lisa": ("giou", "ciou", "unparseable"),
    "rec": ("box_iou", "box_accuracy_0.5", "unparseable"),
}


def metric_rows(run: str, value: float, seed: int = 0) -> list[dict[str, Any]]:
    """Every metric of a run; values differ by benchmark, metric and protocol, all from `value`."""
    rows = []
    for position, benchmark in enumerate((*MASK_BENCHMARKS, "lisa_grounding", *EVERY_SENTENCE)):
        protocols = ("rec",) if benchmark == "lisa_grounding" else ("seg_zero", "lisa")
        for protocol in protocols:
            for offset, metric in enumerate(METRIC_NAMES[protocol]):
                figure = value + 0.01 * position + 0.002 * offset + 0.001 * (protocol == "lisa")
                figure = 0.015 if metric == "unparseable" else figure
                rows.append(
                    {
                        "run": run,
                        "seed": seed,
                        "benchmark": benchmark,
                        "metric": metric,
                        "value": figure,
                        "ci_low": figure - 0.01,
                        "ci_high": figure + 0.01,
                        "n": 500 + position,
                        "protocol": protocol,
                    }
                )
    return rows


def write_metrics(folder: Path, rows: Sequence[dict[str, Any]], name: str = "metrics") -> Path:
    path = folder / f"{name}.parquet"
    write_table(path, pa.Table.from_pylist(list(rows), METRICS))
    return path


def write_all_metrics(folder: Path) -> list[Path]:
    """One file a run; each run is 2 points above the one before it."""
    return [
        write_metrics(folder, metric_rows(run, 0.40 + 0.02 * place), f"metrics_{run}")
        for place, run in enumerate(RUNS)
    ]


def write_comparisons(folder: Path, seeds: Sequence[int] = (0,)) -> Path:
    """Every ablation against `sam_r1` in all columns: the k-th run is k points better, or worse."""
    rows = [
        {
            "run": run,
            "baseline": "sam_r1",
            "benchmark": benchmark,
            "metric": metric,
            "protocol": "seg_zero",
            "value": (0.01 if metric == "giou" else -0.01) * place,
            "ci_low": 0.01 * place - 0.025,
            "ci_high": 0.01 * place + 0.025,
            "sd_over_seeds": None,
            "p": 0.08 / 4**place,
            "seeds": list(seeds),
            "n": 500,
        }
        for runs in (RUNS[3:6], RUNS[6:])
        for place, run in enumerate(runs, start=1)
        for benchmark in ("reasonseg_test", "refcocog_test")
        for metric in ("giou", "ciou")
    ]
    path = folder / "comparisons.parquet"
    write_table(path, pa.Table.from_pylist(rows, COMPARISONS))
    return path


def write_stage(
    name: str,
    folder: Path,
    scale: str,
    runs: Sequence[str] = RUNS,
    baselines: Mapping[str, Baseline] | None = None,
    extra: Sequence[Extra] = (),
) -> Path:
    """The stage of table `name`, with those of `runs` that the scale has, and `extra` rows."""
    stage = load_experiment(CONFIG, scale).table_stage(name)
    table = stage.table.only(runs)
    table = table.model_copy(update={"extra": (*table.extra, *extra)})
    changes = {"table": table, "baselines": baselines or {}}
    path = folder / f"stage_of_{name}.yaml"
    path.write_text(dump_stage(stage.model_copy(update=changes)), encoding="utf-8")
    return path


def make(
    name: str,
    folder: Path,
    metrics: Sequence[Path],
    scale: str,
    *more: str,
    runs: Sequence[str] = RUNS,
    baselines: Mapping[str, Baseline] | None = None,
    extra: Sequence[Extra] = (),
) -> tuple[str, list[dict[str, Any]]]:
    """Make table `name` by its command, with those of `runs` that the scale has.

    Its page and its rows.
    """
    config = write_stage(name, folder, scale, runs=runs, baselines=baselines, extra=extra)
    parquet, page = folder / f"{name}.parquet", folder / f"{name}.md"
    options = {"config": config, "output_parquet": parquet, "output_md": page}
    options["output_html"] = page.with_suffix(".html")
    if name in ("table_4", "table_5") and "--comparisons" not in more:
        options["comparisons"] = write_comparisons(folder)
    call(make_table.main, *more, **options, metrics=[*metrics])
    table = pq.read_table(parquet)
    assert table.schema.equals(TABLE)
    return page.read_text(encoding="utf-8"), table.to_pylist()


def cells_of(page: str, start: str) -> list[list[str]]:
    """The first Markdown table of a page that begins with `start`: its heading, and its rows."""
    lines = page[page.index(start) :].split("\n\n")[0].splitlines()
    assert len({len(line) for line in lines}) == 1, "pipes must stand in line"
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [header, *rows]


def main_table(page: str) -> dict[str, dict[str, str]]:
    """The first table of methods of a page: row name -> column -> cell."""
    header, *rows = cells_of(page, "| Method")
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}
