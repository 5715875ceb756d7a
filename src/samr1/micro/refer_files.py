"""RefCOCO's file layout: instances.json and a pickled list of refs."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from samr1.micro.scenes import SHAPES, Scene, Thing
from samr1.micro.wholes import PARTS

CATEGORIES = (*SHAPES, *PARTS)
# Of every 20 annotations one is compressed RLE and one plain RLE; the others are polygons.
_RLE_EVERY = 20


@dataclass(frozen=True)
class Ref:
    """A thing of a scene, by its index, and the sentences that single it out."""

    target: int
    sentences: tuple[str, ...]


@dataclass
class ReferSet:
    """A REFER data set as it grows: `name` is its folder, `split_by` the author of its splits."""

    name: str
    split_by: str
    images: dict[int, dict[str, Any]] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    refs: list[dict[str, Any]] = field(default_factory=list)
    sentences: int = 0

    def add_image(
        self, image_id: int, file_name: str, split: str, scene: Scene, refs: list[Ref]
    ) -> None:
        """Add an image with all its things as annotations and `refs` about them."""
        self.images[image_id] = {
            "id": image_id,
            "file_name": file_name,
            "width": scene.width,
            "height": scene.height,
        }
        first = len(self.annotations) + 1
        for offset, thing in enumerate(scene.things):
            self.annotations.append(_annotation(first + offset, image_id, scene, thing))
        for ref in refs:
            annotation = self.annotations[first - 1 + ref.target]
            self.refs.append(self._ref(annotation, file_name, split, ref))

    def _ref(
        self, annotation: dict[str, Any], file_name: str, split: str, ref: Ref
    ) -> dict[str, Any]:
        sentences = []
        for raw in ref.sentences:
            sent = raw.lower()
            sentences.append(
                {"sent_id": self.sentences, "raw": raw, "sent": sent, "tokens": sent.split()}
            )
            self.sentences += 1
        return {
            "ref_id": len(self.refs) + 1,
            "ann_id": annotation["id"],
            "category_id": annotation["category_id"],
            "file_name": file_name.replace(".jpg", f"_{annotation['id']}.jpg"),
            "image_id": annotation["image_id"],
            "sent_ids": [sentence["sent_id"] for sentence in sentences],
            "split": split,
            "sentences": sentences,
        }

    def write(self, folder: Path) -> None:
        """Write both files into `folder`."""
        folder.mkdir(parents=True)
        self.write_instances(folder / "instances.json")
        with (folder / f"refs({self.split_by}).p").open("wb") as file:
            pickle.dump(self.refs, file, protocol=2)

    def write_instances(self, path: Path) -> None:
        """Write the images and all their annotations."""
        categories = [{"id": i + 1, "name": name} for i, name in enumerate(CATEGORIES)]
        instances = {
            "images": list(self.images.values()),
            "annotations": self.annotations,
            "categories": categories,
        }
        path.write_text(json.dumps(instances))


def _annotation(number: int, image_id: int, scene: Scene, thing: Thing) -> dict[str, Any]:
    flat = [coordinate for corner in thing.polygon for coordinate in corner]
    rle = coco.frPyObjects([flat], scene.height, scene.width)[0]
    segmentation: Any = [flat]
    if number % _RLE_EVERY == 0:
        segmentation = {"size": rle["size"], "counts": rle["counts"].decode("ascii")}
    elif number % _RLE_EVERY == 1:
        segmentation = {"size": rle["size"], "counts": _plain_counts(coco.decode(rle))}
    return {
        "id": number,
        "image_id": image_id,
        "category_id": CATEGORIES.index(thing.shape) + 1,
        "segmentation": segmentation,
        "bbox": [round(float(value), 2) for value in coco.toBbox(rle)],
        "area": float(coco.area(rle)),
        "iscrowd": 0,
    }


def _plain_counts(mask: np.ndarray) -> list[int]:
    """Run lengths of a mask read down its columns, beginning with the zeros."""
    flat = mask.flatten(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs
