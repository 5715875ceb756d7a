"""What `samr1`'s commands have in common: which models are asked, and how."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from samr1.cli.parser import Parser
from samr1.config.names import DIALECTS
from samr1.core.errors import say

if TYPE_CHECKING:
    from samr1.app.model import Samr1


def add_model_options(parser: Parser) -> None:
    """Add `--policy`, `--segmenter`, `--dialect` and `--image-size`."""
    parser.add_argument(
        "--policy",
        default="micro",
        metavar="MODEL",
        help="folder of a policy, or owner/name@commit on the model hub (default: micro, "
        "the tiny one that sam_r1 trained, which is shipped and knows drawn scenes alone)",
    )
    parser.add_argument(
        "--segmenter",
        metavar="MODEL",
        help="folder of a SAM 2, one of Meta's .pt files, a hub name, or micro (default: the one "
        "that the policy was trained with)",
    )
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        help="how the policy is asked and answers (default: as its samr1.json says, or sam_r1)",
    )
    parser.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the square that the policy sees (default: as its samr1.json says, or 840)",
    )


def load_model(arguments: argparse.Namespace) -> tuple[Samr1, str]:
    """The models that were asked for, and a line that says which they are, as stderr does too."""
    # Not before: --help and a wrong usage do not wait for torch.
    from transformers.utils import logging

    from samr1.app.model import find_settings, load_samr1
    from samr1.policy.prompt_settings import MICRO, read_settings

    logging.disable_progress_bar()
    model = load_samr1(
        arguments.policy,
        arguments.segmenter,
        dialect=arguments.dialect,
        image_size=arguments.image_size,
    )
    settings = find_settings(arguments.policy, arguments.dialect, arguments.image_size)
    known = ", which knows drawn scenes alone" if arguments.policy == MICRO else ""
    who = (
        f"policy {arguments.policy}{known}, segmenter {arguments.segmenter or settings.segmenter}, "
        f"dialect {settings.dialect}, {settings.image_size} pixels, {settings.dtype}, at most "
        f"{settings.max_response_tokens} tokens"
    )
    if read_settings(arguments.policy) is None:
        say(
            f"note: {arguments.policy} does not say how it is asked (samr1.json), so settings "
            f"like the paper's serve: {who}."
        )
    else:
        say(f"note: answers are by {who}.")
    return model, who
