"""Fetch a Parquet mirror of a data set, owner/name@commit, into ROOT/mirrors, unless it is there.

An interrupted download goes on with the same command.
"""

from __future__ import annotations

import json
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.core.files import write_text
from samr1.data.mirror_files import fetch_mirror


def main() -> None:
    """Parse, fetch, write."""
    parser = Parser(prog="python -m samr1.cli.fetch_mirror", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="data root")
    parser.add_argument("--mirror", required=True, help="its name on the hub, owner/name@commit")
    parser.add_argument("--output", type=Path, required=True, help="record (JSON) to write")
    arguments = parser.parse_args()
    folder = fetch_mirror(arguments.root, arguments.mirror)
    record = {"mirror": arguments.mirror, "folder": str(folder)}
    write_text(arguments.output, json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    run_command(main)
