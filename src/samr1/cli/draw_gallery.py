"""Draw the gallery, Figure 3: every question with the answers of the runs, as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow as pa

from samr1.core import schemas
from samr1.core.errors import UserError, run_command
from samr1.core.files import read_table
from samr1.data.samples import load_samples
from samr1.report.gallery.kinds import known_kinds, load_said
from samr1.report.gallery.page import Shown, write_gallery


def main() -> None:
    """Parse, load, draw."""
    arguments = _parser().parse_args()
    said = load_said(arguments.kinds, arguments.scale)
    where = f"{arguments.kinds}: scales.{arguments.scale}"
    names = [name for name, _ in arguments.samples]
    for name in said:
        if name not in names:
            raise UserError(
                f"{where}.{name}: is none of the benchmarks {', '.join(names)}; correct the name."
            )
    for name, *_ in arguments.predictions:
        if name not in names:
            raise UserError(f"--predictions {name}: give the benchmark's --samples too.")
    shown = []
    for name, path in arguments.samples:
        samples = _read_samples(Path(path))
        kinds = known_kinds(samples, arguments.world_seed, said.get(name, {}), f"{where}.{name}")
        shown.append(Shown(name, samples, _read_predictions(name, arguments.predictions), kinds))
    write_gallery(arguments.output, shown, arguments.root, arguments.scale)


def _read_samples(path: Path) -> pa.Table:
    samples = load_samples(path)
    if not len(samples):
        raise UserError(f"{path}: has no samples; index the benchmark again.")
    return samples


def _read_predictions(name: str, given: list[list[str]]) -> dict[str, pa.Table]:
    """The predictions on benchmark `name` by run, in the order given."""
    found = {
        run: read_table(Path(path), schemas.PREDICTIONS)
        for benchmark, run, path in given
        if benchmark == name
    }
    if not found:
        raise UserError(f"--samples {name}: give a run's --predictions on it too.")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.draw_gallery", description=__doc__)
    parser.add_argument(
        "--samples",
        nargs=2,
        action="append",
        required=True,
        metavar=("BENCHMARK", "FILE"),
        help="a benchmark's name and samples (Parquet); once for each benchmark",
    )
    parser.add_argument(
        "--predictions",
        nargs=3,
        action="append",
        required=True,
        metavar=("BENCHMARK", "RUN", "FILE"),
        help="a run's predictions on a benchmark (Parquet); the first two runs are shown at first",
    )
    parser.add_argument("--root", type=Path, required=True, help="data root, for the images")
    parser.add_argument("--scale", required=True, help="the scale's name, for the title")
    parser.add_argument(
        "--kinds", type=Path, required=True, help="which samples are of which kind (YAML)"
    )
    parser.add_argument(
        "--world-seed", type=int, help="seed of the drawn world, which knows what it drew"
    )
    parser.add_argument("--output", type=Path, required=True, help="page (HTML) to write")
    return parser


if __name__ == "__main__":
    run_command(main)
