"""Pictures of the drawn world as one's own: photographs, their masks, and a table of questions.

`python tests/support/own_pictures.py my_photos` writes images/*.jpg, masks/*.png, white on black,
and questions.csv.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from samr1.micro.queries import ASK, Question
from samr1.micro.scenes import Scene, draw_scene, encode_jpeg, generator, render


def write_photos(root: Path, pictures: int) -> None:
    """Write `pictures` of them into the new folder `root`, each with a question about a thing."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    rows = []
    for number, (scene, asked) in enumerate(islice(ask_scenes(), pictures)):
        name = f"photo_{number:04d}"
        (root / "images" / f"{name}.jpg").write_bytes(encode_jpeg(render(scene)))
        draw_mask(scene, asked.target).save(root / "masks" / f"{name}.png")
        rows.append((f"images/{name}.jpg", asked.text, f"masks/{name}.png"))
    with (root / "questions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "question", "mask"), *rows])


def ask_scenes() -> Iterator[tuple[Scene, Question]]:
    """Scenes, each with a question about one of its things; one without is left out."""
    for number in count():
        rng = generator("own pictures", number)
        scene = draw_scene(rng)
        questions = (ASK["refcocog"](rng, scene, target) for target in range(len(scene.things)))
        asked = next(filter(None, questions), None)
        if asked is not None:
            yield scene, asked


def draw_mask(scene: Scene, target: int) -> Image.Image:
    """The mask of one thing, white on black, at the picture's size."""
    mask = Image.new("L", (scene.width, scene.height), 0)
    ImageDraw.Draw(mask).polygon(scene.things[target].polygon, fill=255)
    return mask


def mask_array(scene: Scene, target: int) -> np.ndarray:
    """The same as bool [h, w]."""
    return np.asarray(draw_mask(scene, target)) > 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200, help="pictures (default: 200)")
    arguments = parser.parse_args()
    if arguments.folder.exists():
        parser.error(f"{arguments.folder} is there already; name a new folder")
    write_photos(arguments.folder, arguments.count)
