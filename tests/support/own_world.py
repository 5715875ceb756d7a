"""Small data sets of one's own in every layout, as their usual tools write them."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from data_world import HEIGHT, WIDTH, square
from PIL import Image

from samr1.config.own_data import OwnDataStage
from samr1.config.schema import parse_config
from samr1.core import schemas
from samr1.data import masks
from samr1.data.own.reading import read_own

Row = dict[str, Any]


def stage(root: Path, layout: str = "table", **keys: Any) -> OwnDataStage:
    """The settings of the data set `mine` under `root`."""
    if layout == "table":
        keys = {"file": "questions.csv"} | keys
    values = {"name": "mine", "layout": layout, "root": str(root)} | keys
    return parse_config(values, OwnDataStage, "own_data.yaml")


def read_samples(settings: OwnDataStage) -> dict[str, dict[str, Any]]:
    """The rows by their id, masks decoded."""
    samples = read_own(settings).samples
    assert samples.schema.equals(schemas.SAMPLES)
    rows = {row["sample_id"].removeprefix("mine/"): row for row in samples.to_pylist()}
    for row in rows.values():
        for key in ("mask", "ignore"):
            row[key] = row[key] and masks.decode_mask(row[key])
    return rows


def save_picture(path: Path, number: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """A picture of noise; of one number the same pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def save_mask(path: Path, mask: np.ndarray) -> None:
    """A mask as a picture, white on black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((mask * 255).astype(np.uint8)).save(path)


def write_photos(root: Path, count: int = 4) -> list[Row]:
    """`count` pictures with a mask each; the rows of a table about them."""
    rows = []
    for number in range(count):
        save_picture(root / f"img/{number}.png", number)
        save_mask(root / f"masks/{number}.png", square(10 + number))
        row = {"image": f"img/{number}.png", "question": f"the thing, {number}"}
        rows.append(row | {"mask": f"masks/{number}.png"})
    return rows


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """A table by its suffix; in CSV lists and mappings are JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        values = {name: [row.get(name) for row in rows] for name in columns}
        pq.write_table(pa.table(values), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            for row in rows:
                writer.writerow({key: _cell(value) for key, value in row.items()})


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def write_table(root: Path, *changes: Row, file: str = "questions.csv", count: int = 4) -> None:
    """A table of `count` photos, whose first rows have `changes`; None takes a cell away."""
    rows = write_photos(root, count)
    for row, change in zip(rows, changes, strict=False):
        row.update(change)
    kept = [{key: value for key, value in row.items() if value is not None} for row in rows]
    write_rows(root / file, kept)


def coco_content(root: Path, folder: str = "", count: int = 3) -> dict[str, Any]:
    """A COCO file's content: in each image a cat of two polygons, a cat of run lengths, a dog."""
    images, annotations = [], []
    for number in range(count):
        name = f"{number}.png"
        save_picture(root / folder / name, number)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        runs = {"size": [HEIGHT, WIDTH], "counts": [5, 10, 1185]}
        shapes: list[tuple[int, Any]] = [
            (1, [[10, 5, 20, 5, 20, 15, 10, 15], [30, 20, 35, 20, 35, 25, 30, 25]]),
            (1, runs),
            (2, [[2, 2, 8, 2, 8, 8, 2, 8]]),
        ]
        for category, segmentation in shapes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "segmentation": segmentation,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, file: str = "instances.json", **keys: Any) -> dict[str, Any]:
    """A COCO file beside its images; `keys` take the place of its lists."""
    content = coco_content(root, str(Path(file).parent)) | keys
    (root / file).write_text(json.dumps(content))
    return content


def labelme_shape(label: str, points: Any, kind: str = "polygon", **fields: Any) -> Row:
    """A shape with the keys that labelme gives it, in their order."""
    shape = {"label": label, "points": points, "group_id": None, "description": ""}
    return shape | {"shape_type": kind, "flags": {}, "mask": None} | fields


def labelme_mask(label: str, left: int, top: int, mask: np.ndarray) -> Row:
    """A mask [h, w] as labelme has it: a PNG in base64 between two corners, both in it."""
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(buffer, format="PNG")
    corners = [[left, top], [left + mask.shape[1] - 1, top + mask.shape[0] - 1]]
    return labelme_shape(label, corners, "mask", mask=base64.b64encode(buffer.getvalue()).decode())


def write_labelme(
    root: Path, name: str, shapes: Sequence[Row], number: int = 0, **keys: Any
) -> None:
    """A picture and its JSON as labelme's `LabelFile.save` writes it, `keys` instead or beside."""
    save_picture(root / f"{name}.png", number)
    content = {
        "version": "6.3.1",
        "flags": {},
        "shapes": list(shapes),
        "imagePath": f"{Path(name).name}.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    text = json.dumps(content | keys, ensure_ascii=False, indent=2)
    (root / f"{name}.json").write_text(text, encoding="utf-8")


def write_class_masks(root: Path, count: int = 3) -> None:
    """Pictures, and PNGs with a palette: 1 is a square, 2 a corner, 255 between."""
    for number in range(count):
        save_picture(root / f"images/{number}.jpg", number)
        indices = np.zeros((HEIGHT, WIDTH), np.uint8)
        indices[square()], indices[:3, :3], indices[15:17, 10:20] = 1, 2, 255
        picture = Image.fromarray(indices).convert("P")
        picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
        path = root / f"masks/{number}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
