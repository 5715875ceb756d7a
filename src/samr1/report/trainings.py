"""Training metrics of runs, read from the workflow's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from samr1.core.errors import UserError
from samr1.core.files import read_table

CLIPPED = ("clip_fraction_low", "clip_fraction_high")


@dataclass(frozen=True)
class Training:
    """The training metrics of one run and seed: a row a step."""

    path: Path
    steps: pa.Table


Runs = dict[str, list[Training]]  # run -> its seeds


def read_trainings(files: Sequence[Path]) -> Runs:
    """Read training metrics, by run in the order of the files.

    A run is named by a file's metadata, else by its folder. Raises UserError where a file is
    missing, empty, or lacks the clip fractions.
    """
    runs: Runs = {}
    for path in dict.fromkeys(files):
        steps = read_table(path)
        missing = [name for name in CLIPPED if name not in steps.column_names]
        if missing or steps.num_rows == 0:
            what = f"lacks the column {missing[0]!r}" if missing else "has no step"
            raise UserError(f"{path}: {what}; give the metrics that train_policy wrote.")
        run = (steps.schema.metadata or {}).get(b"run", path.parent.name.encode()).decode()
        runs.setdefault(run, []).append(Training(path, steps))
    return runs
