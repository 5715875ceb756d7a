"""Errors that a person reads: one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LONGEST = 300  # characters of a library's reason


class UserError(Exception):
    """A failure whose message is one sentence for the person at the keyboard."""

    exit_code = 1


class Stopped(UserError):
    """Not a failure: the work was asked to stop, and the same command goes on with it."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again


ON_INPUT = (OSError, ValueError, RecursionError)
"""What a parser of ours raises where a file cannot be read, is not what it says, or is too deep."""


@contextmanager
def refusing(
    what: str, advice: str, kinds: tuple[type[Exception], ...] = (Exception,)
) -> Iterator[None]:
    """Whatever a library raises on somebody's file becomes one sentence, `what (reason); advice.`

    Around a library's call on the file, and little else: what is ours in there would be told as the
    file's fault too. Around a parser of ours `kinds` is `ON_INPUT`, so that any other error of it
    stays a traceback.
    """
    try:
        yield
    except BaseException as error:
        panicked = type(error).__name__ == "PanicException"  # in Rust, and no Exception
        if isinstance(error, UserError) or not (panicked or isinstance(error, kinds)):
            raise
        raise UserError(f"{what} ({reason_of(error)}); {advice}.") from error


def reason_of(error: BaseException) -> str:
    """What `error` says, on one line of printable characters that is not too long.

    >>> reason_of(ValueError("no such\\nthing")), reason_of(KeyError("a"))
    ('no such thing', "KeyError: 'a'")
    """
    words = " ".join(str(error).split())
    words = words if " " in words else f"{type(error).__name__}: {words}".removesuffix(": ")
    text = printable(words)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def printable(text: str) -> str:
    """`text` in one line, and nothing in it that a terminal would take for an order.

    >>> printable("a name\\x1b[2J of a file")
    'a name\\\\x1b[2J of a file'
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def say(text: str) -> None:
    """Tell the person at the keyboard, on stderr."""
    print(printable(text), file=sys.stderr)


def run_command(main: Callable[[], None], *, at_once: bool = False) -> None:
    """Run a command's `main`; a `UserError` becomes one line on stderr and its exit code.

    With `at_once` a process that fails is gone without what libraries do at the end: DeepSpeed
    waits for the GPU and NCCL for its group, where other processes may wait for this one.
    """
    # At the end Python looks for garbage in all that torch and transformers have made: a second.
    atexit.register(gc.freeze)
    try:
        main()
    except UserError as error:
        say(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        say("error: stopped by Ctrl-C.")
        code = 130  # as a shell has it of what SIGINT ended
    except Exception:
        if not at_once:
            raise
        traceback.print_exc()
        code = 1
    else:
        return
    if at_once:
        os._exit(code)
    sys.exit(code)


@contextmanager
def prefix_errors(whose: str) -> Iterator[None]:
    """Say in front of a UserError what it is about."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{whose}: {error}") from error
