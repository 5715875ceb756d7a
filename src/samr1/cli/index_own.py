"""Index a data set of one's own, or one part of it: read its files, write its samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.own_data import OwnDataStage
from samr1.config.schema import load_stage
from samr1.core.errors import UserError, prefix_errors, run_command
from samr1.core.files import write_table
from samr1.data.own.reading import read_own, select_part


def main() -> None:
    """Parse, read, write."""
    parser = Parser(prog="python -m samr1.cli.index_own", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the data set's slice (YAML)")
    parser.add_argument(
        "--part",
        choices=("train", "test", "all"),
        default="all",
        help="which samples to write (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, required=True, help="samples (Parquet) to write")
    parser.add_argument(
        "--page", type=Path, help="page of check_dataset, to name where something is wrong"
    )
    arguments = parser.parse_args()
    stage = load_stage(arguments.config, OwnDataStage)
    with _naming(arguments.page):
        reading = read_own(stage)
        with prefix_errors(f"{stage.root} ({stage.name})"):
            whole = arguments.part == "all"
            samples = reading.samples if whole else select_part(reading, arguments.part)
    write_table(arguments.output, samples, {"config": stage.model_dump_json()})


@contextmanager
def _naming(page: Path | None) -> Iterator[None]:
    """Say behind a UserError where all that is wrong is to be seen at once."""
    try:
        yield
    except UserError as error:
        if page is None:
            raise
        raise UserError(f"{error} All that is wrong is on {page}.") from error


if __name__ == "__main__":
    run_command(main)
