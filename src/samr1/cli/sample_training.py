"""Draw the training samples from a pool, seeded: so many objects, one sentence each, or all."""

from __future__ import annotations

import json
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import prefix_errors, run_command
from samr1.core.files import write_table
from samr1.data.samples import load_samples
from samr1.data.sampling import sample


def main() -> None:
    """Parse, read, draw, write."""
    parser = Parser(prog="python -m samr1.cli.sample_training", description=__doc__)
    parser.add_argument(
        "--pool", type=Path, required=True, help="samples (Parquet) with every sentence of each ref"
    )
    parser.add_argument(
        "--count", type=int, help="how many objects to draw (default: all, every sentence)"
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--leave-out",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="samples (Parquet) whose images must not be drawn",
    )
    parser.add_argument("--output", type=Path, required=True, help="samples (Parquet) to write")
    arguments = parser.parse_args()
    if arguments.count is not None and arguments.count < 1:
        parser.error(f"--count must be 1 or more, not {arguments.count}")
    left_out = {
        image_id
        for path in arguments.leave_out
        for image_id in load_samples(path)["image_id"].to_pylist()
    }
    pool = load_samples(arguments.pool)
    with prefix_errors(str(arguments.pool)):
        drawn = sample(pool, arguments.count, arguments.seed, left_out)
    options = {"count": arguments.count, "seed": arguments.seed, "left_out_images": len(left_out)}
    write_table(arguments.output, drawn, {"config": json.dumps(options)})


if __name__ == "__main__":
    run_command(main)
