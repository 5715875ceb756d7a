"""Training metrics of runs, read from the workflow's files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from samr1.core.files import read_table

Runs = dict[str, list[pd.DataFrame]]  # run -> its seeds, a row a step


def read_trainings(files: Sequence[Path], columns: Iterable[str]) -> Runs:
    """Read `columns` of training metrics by step, by run in the order of the files.

    A run is named by its folder. Raises UserError where a file is missing or lacks a column.
    """
    schema = pa.schema([("step", pa.int32()), *((name, pa.float64()) for name in columns)])
    runs: Runs = {}
    for path in dict.fromkeys(files):
        steps = read_table(path, schema).to_pandas().set_index("step")
        runs.setdefault(path.parent.name, []).append(steps)
    return runs
