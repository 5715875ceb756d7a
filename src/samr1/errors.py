"""Errors that a person reads: one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UserError(Exception):
    """A failure whose message is one sentence for the person at the keyboard."""


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; a `UserError` becomes one line on stderr and exit code 1."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
