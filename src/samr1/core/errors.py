"""Errors that a person reads: one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UserError(Exception):
    """A failure whose message is one sentence for the person at the keyboard."""

    exit_code = 1


class Stopped(UserError):
    """Not a failure: the work was asked to stop, and the same command goes on with it."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; a `UserError` becomes one line on stderr and its exit code."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
