"""The reward for a group on one image: one embedding and one batch of prompts, against others."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from model import DIALECT, QUERY, noise_image
from ours import make_stage
from record import Measurement, Record, alternate, today
from setting import ROOT, Setting, machine, make_parser, use_threads

from samr1.config.schema import TrainStage
from samr1.data.images import load_rgb
from samr1.data.masks import decode_mask, encode_mask
from samr1.micro.segmenter_config import IMAGE_SIZE as MICRO_SIZE
from samr1.policy.answer import parse_answer, to_original
from samr1.policy.dialects import get_dialect
from samr1.segmenter import Embedding, Prompt, Segmenter, mask_iou
from samr1.segmenter.build import build_sam2, read_config
from samr1.segmenter.files import published_config
from samr1.train.batches import Batch, Sample
from samr1.train.reward import score_groups

BARS = {"large": 6.0, "micro": 4.0}
NAMES = {"large": "SAM2-Large, random weights", "micro": "micro SAM"}
WIDTH, HEIGHT = 640, 480  # of the original, as most images of COCO
Way = Callable[[], list[float]]  # the IoU of each response's mask


def load_segmenter(kind: str) -> Segmenter:
    """SAM2-Large of sam2's own configuration with random weights, or the micro one as shipped."""
    if kind == "micro":
        return Segmenter.load(ROOT / "src/samr1/micro/weights/segmenter", MICRO_SIZE)
    torch.manual_seed(0)
    return Segmenter(build_sam2(read_config(published_config("sam2_hiera_large"))))


def make_sample(root: Path) -> Sample:
    """One image of noise below `root`, with a rectangle for its ground truth."""
    image = noise_image(0, WIDTH).crop((0, 0, WIDTH, HEIGHT))
    image.save(root / "image.png")
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[100:300, 200:400] = True
    return Sample(0, "s", "i", "image.png", WIDTH, HEIGHT, QUERY, None, dict(encode_mask(mask)))


def make_texts(count: int, side: int) -> list[str]:
    """Well-formed answers with a box and a point each, in the policy's frame of `side` pixels."""
    draw = np.random.default_rng(0)
    texts = []
    for _ in range(count):
        x1, y1 = draw.uniform(0, 0.4 * side, 2)
        x2, y2 = draw.uniform(0.6 * side, side, 2)
        point = ((x1 + x2) / 2, (y1 + y2) / 2, 1)
        texts.append(
            get_dialect(DIALECT).respond("it is there", (x1, y1, x2, y2), [point], "thing")
        )
    return texts


def plain_iou(
    segmenter: Segmenter, embedding: Embedding, sample: Sample, text: str, side: int
) -> float:
    """One response's IoU by itself: one prompt, its mask, and the ground truth decoded for it."""
    answer = to_original(
        parse_answer(text, DIALECT, (side, side)), (side, side), (sample.width, sample.height)
    )
    masks, _ = segmenter.predict(embedding, [Prompt(answer.box, answer.points)])
    return float(mask_iou(masks, torch.from_numpy(decode_mask(sample.mask)))[0])


def make_ways(
    segmenter: Segmenter, sample: Sample, texts: list[str], root: Path, stage: TrainStage
) -> list[Way]:
    """The group's IoUs three ways: ours; each response by itself; one embedding, prompts apart."""
    side = stage.policy.image_size

    def ours() -> list[float]:
        batch = Batch(
            samples=[sample],
            questions=[],  # the segmenter needs none
            originals={sample.image_id: load_rgb(root / sample.image_path)},
            truths=[decode_mask(sample.mask)],
            drawn=[0],
            is_padding=False,
        )
        scored = score_groups(segmenter, batch, [texts], stage)
        return [response.iou for response in scored[0]]

    def response_by_response() -> list[float]:
        found = []
        for text in texts:
            embedding = segmenter.embed(load_rgb(root / sample.image_path))
            found.append(plain_iou(segmenter, embedding, sample, text, side))
        return found

    def prompt_by_prompt() -> list[float]:
        embedding = segmenter.embed(load_rgb(root / sample.image_path))
        return [plain_iou(segmenter, embedding, sample, text, side) for text in texts]

    return [ours, response_by_response, prompt_by_prompt]


def timed(way: Way) -> tuple[float, list[float]]:
    """The seconds that `way` takes, and its IoUs."""
    begin = time.perf_counter()
    ious = way()
    return time.perf_counter() - begin, ious


def measure(setting: Setting, kind: str) -> Record:
    """The three ways in turn; refuses to compare what does not agree."""
    use_threads(setting.threads)
    segmenter = load_segmenter(kind)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sample, stage = make_sample(root), make_stage(setting, root)
        texts = make_texts(setting.group_size, setting.image_size)
        ways = make_ways(segmenter, sample, texts, root, stage)
        # The large one runs for minutes and needs no warming up: its own first embedding is enough.
        segmenter.embed(load_rgb(root / sample.image_path))
        sides = [lambda way=way: timed(way) for way in ways]
        results = alternate(sides, setting.repeats, warm_ups=1 if kind == "micro" else 0)
    ious = [side[0][1] for side in results]
    if not all(np.allclose(ious[0], other, atol=1e-3) for other in ious[1:]):
        raise RuntimeError("the three ways do not give the same IoUs")
    ours, apart, shared = [[seconds for seconds, _ in side] for side in results]
    name = f"reward for {setting.group_size} responses on one image, {NAMES[kind]}"
    figures = [
        Measurement(
            name, ours, "s", apart, "embedding and prompting a response at a time", BARS[kind]
        ),
        Measurement(name, ours, "s", shared, "one embedding, prompts one by one"),
    ]
    notes = {"image": f"{WIDTH}×{HEIGHT}", "ious": ious[0]}
    return Record(f"reward_{kind}", figures, notes, machine(setting.threads), today())


def main() -> None:
    """Parse, measure, write."""
    parser = make_parser(__doc__)
    parser.add_argument("--segmenter", choices=NAMES, required=True)
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    measure(Setting.of(arguments), arguments.segmenter).write(arguments.output)


if __name__ == "__main__":
    main()
