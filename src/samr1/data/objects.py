"""All annotated objects of the images that a benchmark asks about: what an answer could be of."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.data import masks
from samr1.data.bad_samples import BadSamples
from samr1.data.refer import load_instances


def read_objects(instances: Path, samples: pa.Table) -> pa.Table:
    """The objects of the `samples`' images, rows of `schemas.OBJECTS` in the order of `instances`.

    `instances` is a COCO file (REFER's `instances.json`), whose images are known by their file's
    name. An annotation that is no mask is left out and counted: it is nobody's answer. Raises
    UserError where the file is none, or lacks an image.
    """
    images, annotations = load_instances(instances)
    told = {number: image.get("file_name") for number, image in images.items()}
    names = {number: name for number, name in told.items() if isinstance(name, str)}
    wanted = _find_images(instances, samples, names)
    bad, rows = BadSamples("skip"), list[dict[str, Any]]()
    for annotation in tqdm(annotations.values(), desc="objects", unit="object", disable=None):
        number = annotation.get("image_id")
        name = names.get(number) if type(number) is int else None
        if name not in wanted:
            continue
        image_id, height, width = wanted[name]
        try:
            with prefix_errors(f"annotation {annotation['id']}"):
                mask = masks.segmentation_to_mask(annotation.get("segmentation"), height, width)
        except UserError as error:
            bad.add(error)
            continue
        rows.append({"image_id": image_id, "mask": masks.encode_mask(mask)})
    bad.report(len(rows), str(instances))
    return pa.Table.from_pylist(rows, schema=schemas.OBJECTS)


def _find_images(
    instances: Path, samples: pa.Table, names: dict[int, str]
) -> dict[str, tuple[str, int, int]]:
    """File name -> image_id, height and width of each image of `samples`."""
    columns = samples.select(["image_path", "image_id", "height", "width"]).to_pylist()
    found = {
        PurePosixPath(row["image_path"]).name: (row["image_id"], row["height"], row["width"])
        for row in columns
    }
    missing = sorted(set(found).difference(names.values()))
    if missing:
        raise UserError(
            f"{instances}: lacks {len(missing)} of the samples' {len(found)} images, the first "
            f"{missing[0]}; index the benchmark and its objects from the same files."
        )
    return found
