"""What one measurement leaves: figures with all their repeats, and notes; JSON on disk."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samr1.core.files import atomic_file

TRL = "TRL's GRPOTrainer"


@dataclass(frozen=True)
class Measurement:
    """One line of the report. `ours` and `theirs` hold every repeat; `theirs` may be empty."""

    figure: str
    ours: list[float]
    unit: str  # s, MiB, samples/s, …; per second means that more is better
    theirs: list[float] = field(default_factory=list)
    against: str = ""
    bar: float | None = None  # the ratio to reach

    @property
    def ratio(self) -> float | None:
        """Larger is better: theirs / ours, or ours / theirs for a rate."""
        if not self.theirs:
            return None
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return ours / theirs if self.unit.endswith("/s") else theirs / ours


@dataclass(frozen=True)
class Record:
    """The figures of one measurement, notes for the report, where and when it was made."""

    name: str
    figures: list[Measurement]
    notes: dict[str, Any]
    machine: str
    date: str

    def write(self, path: Path) -> None:
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Record:
        values = json.loads(path.read_text())
        return cls(**values | {"figures": [Measurement(**one) for one in values["figures"]]})


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def alternate(
    sides: Sequence[Callable[[], Any]], repeats: int, *, warm_ups: int = 1
) -> list[list[Any]]:
    """What each of `sides` returns, called in turn `repeats` times, after `warm_ups` rounds.

    The order turns round from one round to the next, so that no side always follows the same one.
    """
    results: list[list[Any]] = [[] for _ in sides]
    for turn in range(warm_ups + repeats):
        order = range(len(sides)) if turn % 2 == 0 else reversed(range(len(sides)))
        for index in order:
            value = sides[index]()
            if turn >= warm_ups:
                results[index].append(value)
    return results
