"""The seconds that each phase of a piece of work takes: of a prediction, of a training step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

# Where decoding goes on in the background, `generate` is the time spent waiting for it, so that the
# total is the time that went by.
TIMINGS = pa.schema(
    [("phase", pa.string()), ("seconds", pa.float64()), ("samples_per_second", pa.float64())]
)

Item = TypeVar("Item")

_END = object()


@dataclass
class Stopwatch:
    """Seconds by phase; `settle` is called before the clock is read, to wait for a GPU, say."""

    settle: Callable[[], None] = lambda: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to the phase `name`."""
        start = time.perf_counter()
        yield
        self.settle()
        self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add `seconds` to the phase `name`."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def waiting(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """The `items`; the time until each of them is there is added to the phase `name`."""
        iterator = iter(items)
        while True:
            with self.phase(name):
                item = next(iterator, _END)
            if item is _END:
                return
            yield item  # type: ignore[misc]

    def table(self, samples: int) -> pa.Table:
        """Rows of `TIMINGS`: every phase, and their total."""
        seconds = {**self.seconds, "total": sum(self.seconds.values())}
        rows = [
            {"phase": phase, "seconds": spent, "samples_per_second": samples / spent}
            for phase, spent in seconds.items()
        ]
        return pa.Table.from_pylist(rows, schema=TIMINGS)
