"""What a stage finds: a figure or a fact, the bar it is held to, and whether it is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

NO_CUDA = "no CUDA: not measured"

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Finding:
    """One line of the page.

    `key` names it for what reads the JSON. `passed` is None where there is no bar, or where it was
    not measured (`value` is None then).
    """

    key: str
    what: str
    value: Value
    unit: str = ""
    bar: str = ""
    passed: bool | None = None
    note: str = ""


Findings = Iterator[Finding]


def found(key: str, what: str, value: Value, unit: str = "", note: str = "") -> Finding:
    """A figure or a fact that is held to nothing."""
    return Finding(key, what, value, unit, note=note)


def at_most(
    key: str, what: str, value: float | None, limit: float, unit: str = "", note: str = ""
) -> Finding:
    """A figure that must not be above `limit`, as one that is no number is; None: not measured."""
    return _held(key, what, value, f"≤ {limit:g}", value is not None and value <= limit, unit, note)


def at_least(key: str, what: str, value: float | None, floor: float) -> Finding:
    """A figure that must not be below `floor`, as one that is no number is; None: not measured."""
    return _held(key, what, value, f"≥ {floor:g}", value is not None and value >= floor)


def holds(key: str, what: str, truth: bool | None, note: str = "") -> Finding:
    """A fact that must be so; None: not measured."""
    return _held(key, what, truth, "yes", bool(truth), note=note)


def _held(
    key: str, what: str, value: Value, bar: str, reached: bool, unit: str = "", note: str = ""
) -> Finding:
    if value is None:
        return Finding(key, what, None, unit, bar, None, note or NO_CUDA)
    return Finding(key, what, value, unit, bar, reached, note)


def not_measured(key: str, what: str, why: str = NO_CUDA) -> Finding:
    """What this machine cannot tell, and is held to nothing."""
    return Finding(key, what, None, note=why)
