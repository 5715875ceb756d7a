"""Draw the micro world: images, questions and masks in the public data sets' file layouts."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.data import WorldConfig
from samr1.config.schema import load_stage
from samr1.core.errors import run_command
from samr1.micro.world import draw_world


def main() -> None:
    """Parse, draw, write."""
    parser = Parser(prog="python -m samr1.cli.draw_world", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="sizes and seed (YAML)")
    parser.add_argument("--output", type=Path, required=True, help="data root (folder) to write")
    arguments = parser.parse_args()
    draw_world(load_stage(arguments.config, WorldConfig), arguments.output)


if __name__ == "__main__":
    run_command(main)
