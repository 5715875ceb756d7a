"""Check a data set of one's own before anything is done with it: one page, whatever is wrong.

The page (FOLDER/index.html) has counts and sizes, all that is wrong by its kind, and twelve samples
drawn with their targets. Bad samples do not stop it; by `on_bad_sample: stop` they stop index_own.
"""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.own_data import OwnDataStage
from samr1.config.schema import load_stage
from samr1.core.errors import run_command
from samr1.data.own.reading import read_own
from samr1.report.dataset.page import write_page


def main() -> None:
    """Parse, read, write."""
    parser = Parser(prog="python -m samr1.cli.check_dataset", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the data set's slice (YAML)")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    stage = load_stage(arguments.config, OwnDataStage)
    write_page(stage, read_own(stage, on_bad_sample="skip"), arguments.output)


if __name__ == "__main__":
    run_command(main)
