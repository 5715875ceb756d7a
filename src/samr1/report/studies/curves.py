"""Reward, IoU and KL of the long trainings, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from samr1.core.files import read_table
from samr1.report.studies.study_data import StudyData
from samr1.report.tables.markdown import EMPTY, aligned_table

CURVES = {"reward_total": "reward", "iou": "IoU", "kl": "KL"}
_SPANS = 12  # rows of the table

# One row a step of a training.
CURVE = pa.schema(
    [("run", pa.string()), ("seed", pa.int32()), ("step", pa.int32())]
    + [(name, pa.float64()) for name in CURVES]
)


def read_curves(runs: Sequence[str], data: StudyData) -> pa.Table:
    """Every step of `runs`, at the seeds that are there, as rows of CURVE."""
    rows = []
    for run in runs:
        for seed in data.seeds(run):
            steps = read_table(data.training(run, seed)).select(["step", *CURVES]).to_pylist()
            rows += [{"run": run, "seed": seed, **step} for step in steps]
    return pa.Table.from_pylist(rows, CURVE)


def curves_table(curves: pa.Table) -> str:
    """Means over spans of steps and their deviation over seeds; as Markdown."""
    steps = curves.to_pandas()
    if steps.empty:
        return "Nothing of it is there yet."
    longest = steps["step"].max() + 1
    width = -(-longest // _SPANS)
    steps["span"] = steps["step"] // width
    of_seeds = steps.groupby(["span", "run", "seed"], sort=False)[list(CURVES)].mean()
    over_seeds = of_seeds.groupby(["span", "run"], sort=False).agg(["mean", "std"])
    columns = [(run, name) for run in steps["run"].unique() for name in CURVES]
    rows = []
    for span in range(-(-longest // width)):
        last = min((span + 1) * width, longest)
        cells = [_cell(over_seeds, (span, run), name) for run, name in columns]
        rows.append([f"{span * width + 1}–{last}", *cells])
    return aligned_table(["Steps", *(f"`{run}` {CURVES[name]}" for run, name in columns)], rows)


def _cell(over_seeds: pd.DataFrame, key: tuple[int, str], name: str) -> str:
    if key not in over_seeds.index:
        return EMPTY
    mean, deviation = over_seeds.loc[key, name]
    return f"{mean:.2f}" if pd.isna(deviation) else f"{mean:.2f} ± {deviation:.2f}"
