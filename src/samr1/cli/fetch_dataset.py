"""Fetch one public data set into the data root, unless it is there; write down what was fetched.

An interrupted download goes on with the same command.
"""

from __future__ import annotations

import json
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.datasets import get_dataset
from samr1.core.errors import run_command
from samr1.core.files import write_text
from samr1.data.datasets import fetch_dataset


def main() -> None:
    """Parse, fetch, write."""
    parser = Parser(prog="python -m samr1.cli.fetch_dataset", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="config/datasets.yaml")
    parser.add_argument("--dataset", required=True, help="one of its data sets")
    parser.add_argument("--root", type=Path, required=True, help="data root")
    parser.add_argument("--output", type=Path, required=True, help="record (JSON) to write")
    arguments = parser.parse_args()
    dataset = get_dataset(arguments.config, arguments.dataset)
    fetched = fetch_dataset(dataset, arguments.root)
    record = {"dataset": arguments.dataset, "root": str(arguments.root), "fetched": fetched}
    write_text(arguments.output, json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    run_command(main)
