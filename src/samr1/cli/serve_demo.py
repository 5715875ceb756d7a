"""A page on this machine to drop a picture on, ask, and see the thought, box, point and mask."""

from __future__ import annotations

import argparse
from typing import Any

from samr1.cli.use_options import add_model_options, load_model


def add_command(commands: argparse._SubParsersAction[Any]) -> None:
    """Add `demo` to the commands of `samr1`."""
    parser = commands.add_parser(
        "demo", help="ask about pictures on a page in the browser", description=__doc__
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="port, or 0 for a free one (default: 8000)"
    )
    add_model_options(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(arguments: argparse.Namespace) -> None:
    if not 0 <= arguments.port <= 65535:
        arguments.parser.error("--port: must be from 0 to 65535")
    # Not before: --help and a wrong usage do not wait for torch.
    from samr1.app.serving import listen, serve

    with listen(arguments.host, arguments.port) as listening:
        model, who = load_model(arguments)
        serve(model, who, arguments.host, listening)
