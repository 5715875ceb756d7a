"""The parser of every command's words."""

from __future__ import annotations

import argparse
from typing import NoReturn

from samr1.core.errors import printable


class Parser(argparse.ArgumentParser):
    """One whose complaints hold no order to the terminal: a file's name is an argument too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command, and end with 2."""
        super().error(printable(message))
