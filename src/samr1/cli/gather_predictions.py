"""Put together what the shards of a benchmark predicted, in the order of its samples."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.schema import PredictStage, load_stage
from samr1.core import schemas
from samr1.core.errors import prefix_errors, run_command
from samr1.core.files import read_table, write_table
from samr1.data.samples import load_samples
from samr1.evaluation.shards import gather


def main() -> None:
    """Parse, read, gather, write."""
    parser = Parser(prog="python -m samr1.cli.gather_predictions", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="predict stage (YAML)")
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument(
        "--predictions", type=Path, nargs="+", required=True, help="the shards' (Parquet)"
    )
    parser.add_argument("--output", type=Path, required=True, help="predictions (Parquet) to write")
    arguments = parser.parse_args()
    stage = load_stage(arguments.config, PredictStage)
    ids = load_samples(arguments.samples)["sample_id"].to_pylist()
    parts = [read_table(path, schemas.PREDICTIONS) for path in arguments.predictions]
    with prefix_errors(f"{arguments.predictions[0].parent} on {arguments.samples}"):
        predictions = gather(ids, parts)
    write_table(arguments.output, predictions, {"config": stage.model_dump_json()})


if __name__ == "__main__":
    run_command(main)
