"""Check another system's predictions on a benchmark, and write them in this workflow's form.

The predictions are a folder of PNG masks (SAMPLE_ID.png, at the original image's size, black off
the object), a COCO-results .json (a list with sample_id or image_id, and segmentation and/or bbox)
or a predictions .parquet (sample_id, and mask and/or box).
"""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.core.files import write_table
from samr1.data.samples import load_samples
from samr1.evaluation.imports import import_predictions


def main() -> None:
    """Parse, read, check, write."""
    parser = Parser(prog="python -m samr1.cli.import_predictions", description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument(
        "--predictions", type=Path, required=True, help="folder, .json or .parquet to read"
    )
    parser.add_argument(
        "--needed",
        choices=("mask", "box"),
        default="mask",
        help="what the benchmark is scored by (default: mask; for LISA-Grounding: box)",
    )
    parser.add_argument("--output", type=Path, required=True, help="predictions (Parquet) to write")
    arguments = parser.parse_args()
    samples = load_samples(arguments.samples)
    found = import_predictions(arguments.predictions, samples, arguments.needed)
    write_table(arguments.output, found, {"source": str(arguments.predictions)})


if __name__ == "__main__":
    run_command(main)
