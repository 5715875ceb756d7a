"""Small data sets in the public layouts, for the tests of the readers."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 40, 30
SQUARE = [[10, 5], [19, 5], [19, 14], [10, 14]]


def save_image(path: Path, width: int = WIDTH, height: int = HEIGHT, **options: Any) -> None:
    """Save a picture of noise, which no codec makes too small to truncate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])


def shape(points: list[list[float]], label: str = "target") -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": "polygon"}


def write_reasonseg(
    root: Path,
    name: str = "a",
    *,
    text: Any = ("the thing that rolls", "another"),
    shapes: Any = None,
    split: str = "val",
    **fields: Any,
) -> Path:
    """One image and its annotation; returns the annotation's path."""
    path = root / "ReasonSeg" / split / f"{name}.json"
    save_image(path.with_suffix(".jpg"))
    shapes = [shape(SQUARE)] if shapes is None else shapes
    path.write_text(json.dumps({"text": text, "is_sentence": True, "shapes": shapes} | fields))
    return path


def ref(number: int, sentences: tuple[str, ...] = ("left ball", "ball"), **fields: Any) -> Any:
    """Ref `number` of annotation `number` on image `number`."""
    return {
        "ref_id": number,
        "ann_id": number,
        "category_id": 1,
        "file_name": f"COCO_train2014_{number:012d}_{number}.jpg",
        "image_id": number,
        "sent_ids": list(range(len(sentences))),
        "split": "test",
        "sentences": [
            {"sent_id": i, "raw": text.upper(), "sent": text, "tokens": text.split()}
            for i, text in enumerate(sentences)
        ],
    } | fields


def square(left: int = 10, top: int = 5, side: int = 10) -> np.ndarray:
    """A mask, bool [h, w], of a square."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def plain_runs(mask: np.ndarray) -> list[int]:
    """Run lengths down the columns, one by one; the first is background."""
    runs, value = [0], False
    for pixel in mask.T.flatten():
        if pixel != value:
            runs.append(0)
            value = not value
        runs[-1] += 1
    return runs


def polygon(x1: float, y1: float, x2: float, y2: float) -> list[float]:
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def annotation(number: int, segmentation: Any = None, **fields: Any) -> dict[str, Any]:
    segmentation = [polygon(10, 5, 20, 15)] if segmentation is None else segmentation
    return {"id": number, "image_id": number, "segmentation": segmentation, "iscrowd": 0} | fields


def write_refer(
    root: Path,
    refs: Any,
    annotations: list[dict[str, Any]] | None = None,
    *,
    dataset: str = "refcocog",
    split_by: str = "umd",
    protocol: int = 2,
) -> Path:
    """A REFER data set with an image for each that `refs` name; returns the path of the refs."""
    folder = root / dataset
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"refs({split_by}).p"
    path.write_bytes(pickle.dumps(refs, protocol=protocol))
    numbers = sorted(
        {entry["image_id"] for entry in refs if isinstance(entry, dict) and "image_id" in entry}
    )
    images = []
    for number in numbers:
        name = f"COCO_train2014_{number:012d}.jpg"
        save_image(root / "train2014" / name)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
    if annotations is None:
        annotations = [annotation(number) for number in numbers]
    content = {"images": images, "annotations": annotations, "categories": []}
    (folder / "instances.json").write_text(json.dumps(content))
    return path


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("set/", b"")
        for name, content in members.items():
            file.writestr(name, content)
    return path
