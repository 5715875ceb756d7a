"""`samr1`, or `python -m samr1`: the trained model on anybody's pictures."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from samr1.cli import segment_images, serve_demo
from samr1.core.errors import printable, run_command


class Parser(argparse.ArgumentParser):
    """One whose complaints hold no order to the terminal: a file's name is an argument too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command, and end with 2."""
        super().error(printable(message))


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
    try:
        run_command(main)
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell has it


if __name__ == "__main__":
    start()
