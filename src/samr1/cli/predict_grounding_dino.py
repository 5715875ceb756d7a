"""Answer the questions of a benchmark as Grounded-SAM does: Grounding DINO's box, SAM 2's mask."""

from __future__ import annotations

from pathlib import Path

from samr1.cli.device_option import add_device_option
from samr1.cli.parser import Parser
from samr1.config.baselines import DetectStage
from samr1.config.schema import load_stage
from samr1.core.device import use_device
from samr1.core.errors import run_command
from samr1.core.files import write_table
from samr1.data.samples import load_samples
from samr1.detector import Detector
from samr1.evaluation.detect import detect_masks
from samr1.segmenter import Segmenter


def main() -> None:
    """Parse, read, detect, segment, write."""
    parser = Parser(prog="python -m samr1.cli.predict_grounding_dino", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="detect stage (YAML)")
    parser.add_argument("--samples", type=Path, required=True, help="samples (Parquet)")
    parser.add_argument("--root", type=Path, required=True, help="data root of the image paths")
    parser.add_argument("--output", type=Path, required=True, help="predictions (Parquet) to write")
    add_device_option(parser)
    arguments = parser.parse_args()
    stage = load_stage(arguments.config, DetectStage)
    sam = stage.segmenter
    device = use_device(arguments.device, threads=stage.threads, tf32=sam.tf32)
    samples = load_samples(arguments.samples)
    detector = Detector.load(stage.detector.path, device)
    segmenter = Segmenter.load(sam.path, sam.image_size, device)
    predictions = detect_masks(samples, arguments.root, detector, segmenter, stage.detector)
    write_table(arguments.output, predictions, {"config": stage.model_dump_json()})


if __name__ == "__main__":
    run_command(main)
