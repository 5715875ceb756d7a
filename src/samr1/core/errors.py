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


def printable(text: str) -> str:
    """`text` in one line, and nothing in it that a terminal would take for an order.

    >>> printable("a name\\x1b[2J of a file")
    'a name\\\\x1b[2J of a file'
    """
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def say(text: str) -> None:
    """Tell the person at the keyboard, on stderr."""
    print(printable(text), file=sys.stderr)


def run_command(main: Callable[[], None]) -> None:
    """Run a command's `main`; a `UserError` becomes one line on stderr and its exit code."""
    try:
        main()
    except UserError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)
