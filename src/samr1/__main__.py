"""`samr1`, or `python -m samr1`: the trained model on anybody's pictures."""

from __future__ import annotations

from samr1.cli import segment_images, serve_demo
from samr1.cli.parser import Parser
from samr1.core.errors import run_command


def main() -> None:
    """Parse, and do what the command says."""
    parser = Parser(prog="samr1", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    segment_images.add_command(commands)
    serve_demo.add_command(commands)
    arguments = parser.parse_args()
    arguments.run(arguments)


def start() -> None:
    """`main` with a person's errors: what the installed `samr1` calls."""
    run_command(main)


if __name__ == "__main__":
    start()
