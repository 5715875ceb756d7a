"""What happens to a sample that cannot be used: the work stops, or it is skipped and counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from samr1.core.errors import UserError, prefix_errors, say

OnBadSample = Literal["stop", "skip"]


class BadSamples:
    """Receives every bad sample of one reading; by policy it raises, or counts it and goes on."""

    def __init__(self, on_bad_sample: OnBadSample) -> None:
        self.on_bad_sample = on_bad_sample
        self.told: list[str] = []  # what was wrong with each

    @property
    def count(self) -> int:
        """How many were skipped."""
        return len(self.told)

    def add(self, error: UserError) -> None:
        """Take one bad sample. Raises `error` again unless bad samples are to be skipped."""
        if self.on_bad_sample == "stop":
            raise error
        self.told.append(str(error))

    @contextmanager
    def catching(self, place: str) -> Iterator[None]:
        """Take the UserError that ends what is inside, `place` said in front of it."""
        try:
            with prefix_errors(place):
                yield
        except UserError as error:
            self.add(error)

    def report(self, kept: int, source: str) -> None:
        """Say on stderr how many samples of `source` were skipped and why the first one was.

        Raises UserError where `kept` is 0: a table without rows would only fail later and farther.
        """
        if not self.count:
            return
        summary = f"{source}: skipped {self.count} of {kept + self.count}: {self.told[0]}"
        if not kept:
            raise UserError(summary)
        say(summary)
