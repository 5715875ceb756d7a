"""How often a progress bar speaks."""

from __future__ import annotations

import sys


def bar_interval() -> float:
    """Seconds between two states of a bar: a terminal's is drawn over, a log keeps each."""
    return 0.1 if sys.stderr.isatty() else 20
