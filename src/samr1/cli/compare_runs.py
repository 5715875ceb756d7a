"""The gain of one run over another on the same samples, with a paired bootstrap over images."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from samr1 import schemas
from samr1.cli.score_options import load_score_stage, score_parser
from samr1.errors import UserError, run_command
from samr1.evaluation.score import compare
from samr1.files import read_table, write_table


def main() -> None:
    """Parse, read, compare, write."""
    parser = score_parser("compare_runs", __doc__)
    parser.add_argument("--a", type=Path, required=True, help="predictions of the run (Parquet)")
    parser.add_argument("--b", type=Path, required=True, help="predictions of the baseline")
    parser.add_argument("--run", default="a", help="name of the run (default: a)")
    parser.add_argument("--baseline", default="b", help="name of the baseline (default: b)")
    arguments = parser.parse_args()
    stage = load_score_stage(arguments)
    samples = read_table(arguments.samples, schemas.SAMPLES)
    ours, theirs = read_table(arguments.a), read_table(arguments.b)
    try:
        tables = [
            compare(
                samples,
                ours,
                theirs,
                protocol,
                run=arguments.run,
                baseline=arguments.baseline,
                benchmark=arguments.benchmark,
                resamples=stage.bootstrap_resamples,
                bootstrap_seed=stage.bootstrap_seed,
            )
            for protocol in dict.fromkeys(arguments.protocol)
        ]
    except UserError as error:
        raise UserError(f"{arguments.a} against {arguments.b}: {error}") from error
    metadata = {"config": stage.model_dump_json()}
    write_table(arguments.output, pa.concat_tables(tables), metadata)


if __name__ == "__main__":
    run_command(main)
