"""Score a benchmark's predictions, ours or another method's, under one protocol or several.

A predictions file made elsewhere needs the columns sample_id and mask (COCO RLE at the original
image's size) or, for the protocol rec, box (xyxy, pixels of the original); null is no answer.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from samr1 import schemas
from samr1.cli.score_options import load_score_stage, score_parser
from samr1.errors import UserError, run_command
from samr1.evaluation.score import score
from samr1.files import read_table, write_table


def main() -> None:
    """Parse, read, score, write."""
    parser = score_parser("score_benchmark", __doc__)
    parser.add_argument("--predictions", type=Path, required=True, help="predictions (Parquet)")
    parser.add_argument("--run", default="imported", help="name of the run (default: imported)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the run (default: 0)")
    arguments = parser.parse_args()
    stage = load_score_stage(arguments)
    samples = read_table(arguments.samples, schemas.SAMPLES)
    predictions = read_table(arguments.predictions)
    try:
        tables = [
            score(
                samples,
                predictions,
                protocol,
                run=arguments.run,
                seed=arguments.seed,
                benchmark=arguments.benchmark,
                resamples=stage.bootstrap_resamples,
                bootstrap_seed=stage.bootstrap_seed,
            )
            for protocol in dict.fromkeys(arguments.protocol)
        ]
    except UserError as error:
        raise UserError(f"{arguments.predictions} on {arguments.samples}: {error}") from error
    metadata = {"config": stage.model_dump_json()}
    write_table(arguments.output, pa.concat_tables(tables), metadata)


if __name__ == "__main__":
    run_command(main)
