"""Score a benchmark's predictions, ours or another method's, under one protocol or several.

A predictions file made elsewhere needs the columns sample_id and mask (COCO RLE at the original
image's size) or, for the protocol rec, box (xyxy, pixels of the original); null is no answer. Its
points, where it has any, say what an answer means; else its mask does.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from samr1.cli.parser import Parser
from samr1.cli.score_options import add_score_config, load_score_stage, parse_name, parse_seed
from samr1.core.errors import prefix_errors, run_command
from samr1.core.files import read_table, write_table
from samr1.core.schemas import OBJECTS
from samr1.data.samples import load_samples
from samr1.evaluation.score import PROTOCOLS, measure_overlaps, score_overlaps


def main() -> None:
    """Parse, read, score, write."""
    parser = Parser(prog="python -m samr1.cli.score_benchmark", description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument("--predictions", type=Path, required=True, help="predictions (Parquet)")
    parser.add_argument(
        "--objects",
        type=Path,
        help="all objects of the images (Parquet, of index_objects)",
    )
    parser.add_argument(
        "--protocol",
        action="append",
        required=True,
        choices=PROTOCOLS,
        help="how to score; may be given several times, all into one file",
    )
    for name, default in (("benchmark", ""), ("run", "imported")):
        told = f"name of the {name} (default: {default or 'none'})"
        parser.add_argument(f"--{name}", type=parse_name, default=default, help=told)
    parser.add_argument("--seed", type=parse_seed, default=0, help="seed of the run (default: 0)")
    add_score_config(parser)
    parser.add_argument("--output", type=Path, required=True, help="table (Parquet) to write")
    parser.add_argument(
        "--output-overlaps",
        type=Path,
        help="each sample's overlap (Parquet), for compare_runs (default: not kept)",
    )
    arguments = parser.parse_args()
    stage = load_score_stage(arguments)
    samples = load_samples(arguments.samples)
    predictions = read_table(arguments.predictions)
    objects = read_table(arguments.objects, OBJECTS) if arguments.objects else None
    whose = arguments.run, arguments.seed, arguments.benchmark
    with prefix_errors(f"{arguments.predictions} on {arguments.samples}"):
        overlaps = [
            measure_overlaps(samples, predictions, protocol, *whose, objects)
            for protocol in dict.fromkeys(arguments.protocol)
        ]
    metrics = [
        score_overlaps(
            table, resamples=stage.bootstrap_resamples, bootstrap_seed=stage.bootstrap_seed
        )
        for table in overlaps
    ]
    if arguments.output_overlaps:
        write_table(arguments.output_overlaps, pa.concat_tables(overlaps))
    metadata = {"config": stage.model_dump_json()}
    write_table(arguments.output, pa.concat_tables(metrics), metadata)


if __name__ == "__main__":
    run_command(main)
