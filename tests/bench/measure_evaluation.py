"""Evaluation with three questions an image: our batches against one question at a time."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from made_up_samples import sample_row, sample_table
from record import Measurement, Record, alternate, today
from setting import ROOT, machine, use_threads

from samr1.config.merge import load_experiment
from samr1.config.schema import PredictStage
from samr1.data.resizing import ImageStore, resize_images
from samr1.evaluation.predict import predict
from samr1.micro.scenes import draw_scene, encode_jpeg, generator, render
from samr1.policy.model import load_policy
from samr1.segmenter import Segmenter

QUESTIONS = 3  # an image
BAR = 3.0


class Predictor:
    """The shipped micro models over some samples, whose pictures are below `root`."""

    def __init__(self, samples: pa.Table, root: Path, stage: PredictStage) -> None:
        self.samples, self.root, self.stage = samples, root, stage
        self.store = ImageStore(root / "images.parquet")
        self.policy = load_policy(ROOT / stage.policy.path)
        self.segmenter = Segmenter.load(ROOT / stage.segmenter.path, stage.segmenter.image_size)

    def predict(self, samples: pa.Table) -> pa.Table:
        return predict(samples, self.store, self.root, self.policy, self.segmenter, self.stage)

    def in_batches(self) -> tuple[float, pa.Table]:
        """Samples a second, and the predictions."""
        begin = time.perf_counter()
        predictions = self.predict(self.samples)
        return len(self.samples) / (time.perf_counter() - begin), predictions

    def one_by_one(self) -> tuple[float, pa.Table]:
        """The same, a question at a time: its image is encoded and embedded each time."""
        begin = time.perf_counter()
        parts = [self.predict(self.samples.slice(row, 1)) for row in range(len(self.samples))]
        return len(self.samples) / (time.perf_counter() - begin), pa.concat_tables(parts)


def draw_samples(images: int, root: Path, side: int) -> pa.Table:
    """`images` drawn scenes with three questions each; pictures and resized ones below `root`."""
    rows = []
    for number in range(images):
        rng = generator("bench", number)
        scene = draw_scene(rng)
        while len(scene.things) < QUESTIONS:
            scene = draw_scene(rng)
        (root / f"{number}.jpg").write_bytes(encode_jpeg(render(scene)))
        for thing in scene.things[:QUESTIONS]:
            query = f"the {thing.color} {thing.shape}"
            rows.append(sample_row(f"{number}.jpg", (scene.width, scene.height), query))
    table = sample_table(rows)
    resize_images(table, root, side, root / "images.parquet")
    return table


def measure(images: int, repeats: int, threads: int) -> Record:
    """Both ways in turn, on the same samples."""
    use_threads(threads)
    stage = load_experiment(ROOT / "config", "micro").runs["sam_r1"].predict_stage()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        samples = draw_samples(images, root, stage.policy.image_size)
        predictor = Predictor(samples, root, stage)
        ours, theirs = alternate([predictor.in_batches, predictor.one_by_one], repeats)
    tables = [side[0][1] for side in (ours, theirs)]
    pairs = zip(*(table["text"].to_pylist() for table in tables), strict=True)
    notes = {
        "samples": len(samples),
        "with_a_mask": len(samples) - tables[0]["mask"].null_count,
        "equal_responses": sum(a == b for a, b in pairs),
        "batch_size": stage.evaluation.batch_size,
    }
    figure = Measurement(
        f"evaluation, micro models, {QUESTIONS} questions an image",
        [rate for rate, _ in ours],
        "samples/s",
        [rate for rate, _ in theirs],
        "one question at a time, image embedded each time",
        BAR,
    )
    return Record("evaluation", [figure], notes, machine(threads), today())


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("images", 16), ("repeats", 5), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value, help="(default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    measure(arguments.images, arguments.repeats, arguments.threads).write(arguments.output)


if __name__ == "__main__":
    main()
