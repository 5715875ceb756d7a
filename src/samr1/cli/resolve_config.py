"""Print runs' complete configuration: the scale's defaults with their overrides on top."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.merge import find_run, load_experiment
from samr1.config.schema import dump_stage
from samr1.core.errors import run_command


def main() -> None:
    """Parse, load, print."""
    parser = Parser(prog="python -m samr1.cli.resolve_config", description=__doc__)
    parser.add_argument("--config-dir", type=Path, default=Path("config"), help="folder (config)")
    parser.add_argument("--scale", default="micro", help="of config/scales (default: micro)")
    parser.add_argument("--run", help="one run of runs.yaml (default: all that the scale has)")
    arguments = parser.parse_args()
    experiment = load_experiment(arguments.config_dir, arguments.scale)
    runs = [find_run(experiment, arguments.run)] if arguments.run else experiment.runs.values()
    print("---\n".join(map(dump_stage, runs)), end="")


if __name__ == "__main__":
    run_command(main)
