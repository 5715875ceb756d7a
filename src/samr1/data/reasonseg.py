"""Read ReasonSeg, and LISA-Grounding, which is made of the same files.

ReasonSeg is a folder a split (`ReasonSeg/val`) with `NAME.jpg` and `NAME.json` for every image.
Masks are drawn as LISA draws them. A sample is an image with its first text, `text[0]`, as in every
published evaluation. A file without a polygon is a sample with an empty mask and the box
[0, 0, 0, 0]: the official test set has two.

LISA-Grounding takes its box as Visual-RFT does: the least and greatest coordinates of the points of
the *first* shape, whatever its label.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError
from samr1.data import masks
from samr1.data.bad_samples import BadSamples, OnBadSample
from samr1.data.counts import check_published
from samr1.data.images import check_image

Dataset = Literal["reasonseg", "lisa_grounding"]


def read(
    root: Path | str,
    split: str,
    on_bad_sample: OnBadSample = "stop",
    dataset: Dataset = "reasonseg",
    check_counts: bool = False,
) -> pa.Table:
    """The samples of `root/ReasonSeg/<split>` as rows of `schemas.SAMPLES`, sorted by name.

    Boxes and masks are in pixels of the original. Raises UserError where the folder is missing or
    empty, a sample is bad and `on_bad_sample` is "stop", or `check_counts` is set and the folder's
    images, bad ones too, are not as many as published.
    """
    root = Path(root)
    folder = root / "ReasonSeg" / split
    names = sorted({path.stem for path in folder.glob("*") if path.suffix in (".json", ".jpg")})
    if not names:
        raise UserError(f"{folder}: no ReasonSeg images here; correct the data root or the split.")
    if check_counts:
        check_published(folder, dataset, None, split, len(names))
    bad = BadSamples(on_bad_sample)
    rows = []
    for name in tqdm(names, desc=f"{dataset} {split}", unit="image", disable=None):
        try:
            rows.append(_read_sample(root, split, name, dataset))
        except UserError as error:
            bad.add(error)
    bad.report(len(rows), str(folder))
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def _read_sample(root: Path, split: str, name: str, dataset: Dataset) -> dict[str, Any]:
    image_path = Path("ReasonSeg") / split / f"{name}.jpg"
    annotation_path = (root / image_path).with_suffix(".json")
    annotation = _read_annotation(annotation_path)
    width, height = check_image(
        root / image_path, annotation.get("imageWidth"), annotation.get("imageHeight")
    )
    shapes = annotation["shapes"]
    try:
        target, ignore = masks.rasterise_shapes(shapes, height, width)
    except UserError as error:
        raise UserError(f"{annotation_path}: {error}") from error
    box = masks.mask_box(target) if dataset == "reasonseg" else _first_shape_box(shapes)
    return {
        "sample_id": f"{dataset}/{split}/{name}",
        "dataset": dataset,
        "split": split,
        "image_id": f"reasonseg/{split}/{name}",  # the same image in both data sets
        "image_path": image_path.as_posix(),
        "width": width,
        "height": height,
        "query": annotation["text"][0].strip(),
        "sentence_index": 0,
        "box": box,
        "mask": masks.encode_mask(target),
        "ignore": masks.encode_mask(ignore) if ignore.any() else None,
    }


def _first_shape_box(shapes: list[dict[str, Any]]) -> list[float]:
    if not shapes:
        return [0.0, 0.0, 0.0, 0.0]
    points = masks.shape_points(shapes[0])
    return [float(value) for value in (*points.min(axis=0), *points.max(axis=0))]


def _read_annotation(path: Path) -> dict[str, Any]:
    """Parse and check one annotation; a few of the official files are cp1252, not UTF-8."""
    if not path.is_file():
        raise UserError(f"{path}: no such annotation beside its image; fetch it again.")
    data = path.read_bytes()
    try:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("cp1252")
        annotation = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a JSON file ({error}); fetch it again.") from error
    return _checked(annotation, path)


def _checked(annotation: Any, path: Path) -> dict[str, Any]:
    if not isinstance(annotation, dict) or not {"text", "shapes"} <= annotation.keys():
        raise UserError(f"{path}: not a ReasonSeg annotation; it needs `text` and `shapes`.")
    texts, shapes = annotation["text"], annotation["shapes"]
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise UserError(f"{path}: `shapes` is not a list of shapes; fetch it again.")
    if not isinstance(texts, list) or not texts or not isinstance(texts[0], str):
        raise UserError(f"{path}: `text` is not a list of texts; fetch it again.")
    if not texts[0].strip():
        raise UserError(f"{path}: text[0] has 0 characters; give it a question or leave it out.")
    return annotation
