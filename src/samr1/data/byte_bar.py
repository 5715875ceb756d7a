"""The progress bar of long work on one file."""

from __future__ import annotations

import sys

from tqdm import tqdm


def byte_bar(work: str, total: int | None) -> tqdm:
    """A bar of bytes with the time left; in a log it says something every 20 seconds."""
    return tqdm(
        total=total,
        desc=work,
        unit="B",
        unit_scale=True,
        mininterval=0.1 if sys.stderr.isatty() else 20,
    )
