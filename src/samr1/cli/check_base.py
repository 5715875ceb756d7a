"""Measure the tiny models before any reward, on held-out scenes, and write the page."""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.core.files import write_text
from samr1.micro.tokenizer import TAUGHT
from samr1.policy.model import load_policy
from samr1.policy.prompt_settings import MICRO, resolve
from samr1.pretrain.check import MANNERS, draw_scenes, measure, parseable, segmenter_iou
from samr1.pretrain.check_page import check_page
from samr1.segmenter import Segmenter

BASE = "src/samr1/micro/weights/policy"


def main() -> None:
    """Parse, load, measure, write."""
    parser = Parser(prog="python -m samr1.cli.check_base", description=__doc__)
    parser.add_argument("--policy", default=BASE, help="policy folder (default: the shipped base)")
    parser.add_argument("--segmenter", default=MICRO, help="segmenter (default: the shipped one)")
    parser.add_argument("--questions", type=int, default=3072, help="a manner of asking (3,072)")
    parser.add_argument("--output", type=Path, required=True, help="Markdown page to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    policy = load_policy(arguments.policy)
    segmenter = Segmenter.load(resolve(arguments.segmenter, "segmenter"))
    size = arguments.questions
    rows = {
        name: measure(policy, segmenter, name, size)
        for name in tqdm(MANNERS, desc="manners of asking")
    }
    shares = {name: parseable(policy, name, size) for name in tqdm(TAUGHT, desc="dialects")}
    page = check_page(rows, shares, segmenter_iou(segmenter, draw_scenes(size)))
    write_text(arguments.output, page)


if __name__ == "__main__":
    run_command(main)
