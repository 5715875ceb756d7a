"""Print runs' complete configuration: the scale's defaults with their overrides on top."""

from __future__ import annotations

import argparse
from pathlib import Path

from samr1.config.merge import load_experiment
from samr1.config.schema import dump_stage
from samr1.core.errors import UserError, run_command


def main() -> None:
    """Parse, load, print."""
    parser = argparse.ArgumentParser(prog="python -m samr1.cli.resolve_config", description=__doc__)
    parser.add_argument("--config-dir", type=Path, default=Path("config"), help="folder (config)")
    parser.add_argument("--scale", default="micro", help="of config/scales (default: micro)")
    parser.add_argument("--run", help="one run of runs.yaml (default: all that the scale has)")
    arguments = parser.parse_args()
    runs = load_experiment(arguments.config_dir, arguments.scale).runs
    if arguments.run and arguments.run not in runs:
        raise UserError(
            f"--run {arguments.run}: no such run at scale {arguments.scale}; there are "
            f"{', '.join(runs)}."
        )
    names = [arguments.run] if arguments.run else list(runs)
    print("---\n".join(dump_stage(runs[name]) for name in names), end="")


if __name__ == "__main__":
    run_command(main)
