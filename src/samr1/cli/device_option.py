"""What the commands that load models have in common: the device that they are given."""

from __future__ import annotations

from typing import get_args

from samr1.cli.parser import Parser
from samr1.core.device import DeviceKind


def add_device_option(parser: Parser) -> None:
    """Add `--device`."""
    parser.add_argument(
        "--device",
        choices=get_args(DeviceKind),
        help="where the models run; cuda is refused where there is no GPU (default: a GPU where "
        "there is one)",
    )
