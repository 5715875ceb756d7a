"""Pack the studies' data and make their tables and pictures, whole or as far as they are.

With --results, what a scale's results have of the runs and seeds of config/studies.yaml is copied
into OUTPUT/data first; without it both are made again of what is there.
"""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.merge import load_experiment
from samr1.core.errors import run_command
from samr1.core.files import use_folder
from samr1.report.studies.figures import draw_studies
from samr1.report.studies.studies import find_study_data, write_studies
from samr1.report.studies.study_data import pack_study


def main() -> None:
    """Parse, read, copy, write."""
    parser = Parser(prog="python -m samr1.cli.collect_study", description=__doc__)
    parser.add_argument("--config-dir", type=Path, default=Path("config"), help="folder (config)")
    parser.add_argument("--scale", default="micro", help="of config/scales (default: micro)")
    parser.add_argument("--results", type=Path, help="a scale's results, such as results/micro")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of data, tables and pictures"
    )
    arguments = parser.parse_args()
    experiment = load_experiment(arguments.config_dir, arguments.scale)
    output = use_folder(arguments.output, "collect_study", "data/overlaps")
    data = find_study_data(output / "data", experiment)
    if arguments.results is not None:
        pack_study(arguments.results, data)
    write_studies(data, experiment, output)
    draw_studies(data, experiment, output)


if __name__ == "__main__":
    run_command(main)
