"""The gain of runs over one run on the same samples: a bootstrap paired over images and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from samr1.cli.parser import Parser
from samr1.cli.score_options import add_score_config, load_score_stage
from samr1.core.errors import UserError, run_command
from samr1.core.files import read_table, write_table
from samr1.core.schemas import OVERLAPS
from samr1.evaluation.compare import compare


def main() -> None:
    """Parse, read, compare, write."""
    parser = Parser(prog="python -m samr1.cli.compare_runs", description=__doc__)
    parser.add_argument(
        "--overlaps",
        type=Path,
        nargs="+",
        required=True,
        help="overlaps (Parquet, of score_benchmark) of the runs to compare, a file a seed",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        nargs="+",
        required=True,
        help="overlaps of the run that they are compared with: at each seed, or one file for all",
    )
    add_score_config(parser)
    parser.add_argument("--output", type=Path, required=True, help="table (Parquet) to write")
    arguments = parser.parse_args()
    stage = load_score_stage(arguments)
    baseline = next(iter(_read_by_run(arguments.baseline).values()))
    tables = []
    for run, ours in _read_by_run(arguments.overlaps).items():
        missing = sorted(set(ours) - set(baseline))
        if missing and len(baseline) > 1:
            raise UserError(
                f"run {run!r} has seed {missing[0]} and its baseline only {sorted(baseline)}; give "
                "the baseline at the same seeds, or one file of it."
            )
        only = baseline[min(baseline)]
        pairs = {seed: (table, baseline.get(seed, only)) for seed, table in ours.items()}
        tables.append(
            compare(
                pairs,
                resamples=stage.bootstrap_resamples,
                bootstrap_seed=stage.bootstrap_seed,
            )
        )
    metadata = {"config": stage.model_dump_json()}
    write_table(arguments.output, pa.concat_tables(tables), metadata)


def _read_by_run(files: Sequence[Path]) -> dict[str, dict[int, pa.Table]]:
    """run -> seed -> its overlaps."""
    found: dict[str, dict[int, pa.Table]] = {}
    for path in files:
        table = read_table(path, OVERLAPS)
        if not len(table):
            raise UserError(f"{path}: has no row; score the benchmark again.")
        run, seed = (table[name][0].as_py() for name in ("run", "seed"))
        found.setdefault(run, {})[seed] = table
    return found


if __name__ == "__main__":
    run_command(main)
