"""The seconds that each phase of a training step takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


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
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
