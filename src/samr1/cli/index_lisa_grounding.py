"""Index one split of LISA-Grounding: read ReasonSeg's files under ROOT/ReasonSeg, write samples."""

from __future__ import annotations

from samr1.cli.index_options import index_reasonseg_layout
from samr1.core.errors import run_command


def main() -> None:
    """Parse, read, write."""
    index_reasonseg_layout("lisa_grounding", __doc__)


if __name__ == "__main__":
    run_command(main)
