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
    key: str, what: str, value: float, limit: float, unit: str = "", note: str = ""
) -> Finding:
    """A figure that must not be above `limit`; one that is no number is."""
    return Finding(key, what, value, unit, f"≤ {limit:g}", value <= limit, note)


def at_least(
    key: str, what: str, value: float, floor: float, unit: str = "", note: str = ""
) -> Finding:
    """A figure that must not be below `floor`; one that is no number is."""
    return Finding(key, what, value, unit, f"≥ {floor:g}", value >= floor, note)


def holds(key: str, what: str, truth: bool, note: str = "") -> Finding:
    """A fact that must be so."""
    return Finding(key, what, truth, bar="yes", passed=truth, note=note)


def not_measured(key: str, what: str, why: str = NO_CUDA) -> Finding:
    """What this machine cannot tell."""
    return Finding(key, what, None, note=why)
