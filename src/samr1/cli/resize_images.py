"""Resize the images of a table of samples to the policy's square, each image once."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import run_command
from samr1.data.resizing import resize_images
from samr1.data.samples import load_samples


def main() -> None:
    """Parse, read, resize, write."""
    parser = Parser(prog="python -m samr1.cli.resize_images", description=__doc__)
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument("--root", type=Path, required=True, help="data root of the image paths")
    parser.add_argument("--image-size", type=int, required=True, help="pixels a side, such as 840")
    parser.add_argument("--output", type=Path, required=True, help="images (Parquet) to write")
    arguments = parser.parse_args()
    if arguments.image_size < 1:
        parser.error(f"--image-size must be 1 or more, not {arguments.image_size}")
    samples = load_samples(arguments.samples)
    resize_images(samples, arguments.root, arguments.image_size, arguments.output)


if __name__ == "__main__":
    run_command(main)
