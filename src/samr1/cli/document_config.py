"""Write the page of every configuration key, from the schema."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.config.page import config_page
from samr1.core.errors import run_command
from samr1.core.files import write_text


def main() -> None:
    """Parse, build, write."""
    parser = Parser(prog="python -m samr1.cli.document_config", description=__doc__)
    parser.add_argument("--config-dir", type=Path, default=Path("config"), help="folder (config)")
    parser.add_argument("--output", type=Path, required=True, help="Markdown file to write")
    arguments = parser.parse_args()
    write_text(arguments.output, config_page(arguments.config_dir))


if __name__ == "__main__":
    run_command(main)
