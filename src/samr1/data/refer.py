"""Read RefCOCO, RefCOCO+ and RefCOCOg as the REFER toolkit lays them out.

`root/<dataset>/refs(<split_by>).p` is a pickled list of refs, each an annotated object with one or
more sentences; `root/<dataset>/instances.json` has the COCO annotations and `root/train2014/` the
images. A ref's file name ends in the annotation's id; the image's own name is in `instances.json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from tqdm import tqdm

from samr1.core import schemas
from samr1.core.errors import UserError, prefix_errors
from samr1.core.json_lists import JsonLists
from samr1.core.reading import is_text
from samr1.data import masks
from samr1.data.bad_samples import BadSamples, OnBadSample
from samr1.data.coco_file import find_entries
from samr1.data.counts import check_published
from samr1.data.image_files import check_image
from samr1.data.plain_pickle import load_plain_pickle
from samr1.data.samples import check_query

DATASETS = ("refcoco", "refcoco+", "refcocog")
Sentences = Literal["first", "all"]
Ref = dict[str, Any]

MOST_BYTES = 160_000_000  # of instances.json, a third more than RefCOCO's
REMEDY = "correct the data root or fetch the data set"
_LARGEST_ID = 2**63

_REF_FIELDS = {"ref_id": int, "ann_id": int, "image_id": int, "split": str, "sentences": list}


def read(
    root: Path | str,
    dataset: str,
    split_by: str,
    split: str,
    sentences: Sentences = "first",
    on_bad_sample: OnBadSample = "stop",
    check_counts: bool = False,
) -> pa.Table:
    """The samples of one split as rows of `schemas.SAMPLES`, in the order of the refs file.

    A row a ref ("first": its first sentence that has words; Seg-Zero's sets have one a ref) or a
    row a sentence ("all", in small letters, as LISA evaluates). `sample_id` is
    dataset/split_by/split/ref_id/sentence_index; `image_id` is COCO's, the same in all three data
    sets. Boxes and masks are in pixels of the original. Raises UserError where a file is missing or
    not what its name says, a ref is bad and `on_bad_sample` is "stop", or `check_counts` is set and
    the split's refs and sentences, bad ones too, are not as many as published.
    """
    bad = BadSamples(on_bad_sample)
    rows = read_rows(Path(root), dataset, split_by, split, sentences, bad, check_counts)
    bad.report(len(rows), str(Path(root) / dataset / f"refs({split_by}).p"))
    return pa.Table.from_pylist(rows, schema=schemas.SAMPLES)


def read_rows(
    root: Path,
    dataset: str,
    split_by: str,
    split: str,
    sentences: Sentences,
    bad: BadSamples,
    check_counts: bool = False,
) -> list[dict[str, Any]]:
    """The rows of `read`; bad refs and sentences go to `bad`."""
    folder = root / dataset
    path = folder / f"refs({split_by}).p"
    refs = load_plain_pickle(path)
    if not isinstance(refs, list) or not refs:
        raise UserError(f"{path}: not a REFER file: it does not hold a list of refs.")
    instances = _Instances(root, folder / "instances.json")
    wanted = list(_refs_of_split(refs, path, split, bad))
    if check_counts:
        found = len({ref["ref_id"] for ref in wanted})
        told = sum(len(ref["sentences"]) for ref in wanted)
        check_published(path, dataset, split_by, split, found, told, bad.count)
    rows: list[dict[str, Any]] = []
    bar = tqdm(wanted, desc=f"{dataset} {split}", unit="ref", disable=None)
    for where, ref, shared in _describe(bar, instances, path, bad):
        common = {"dataset": dataset, "split": split, **shared}
        name = f"{dataset}/{split_by}/{split}/{ref['ref_id']}"
        rows.extend(common | one for one in _questions(ref, sentences, name, where, bad))
    return rows


def _refs_of_split(refs: list[Any], path: Path, split: str, bad: BadSamples) -> Iterator[Ref]:
    """The well-formed refs of `split`; raises UserError where the file has none of that split."""
    splits = set()
    for row, ref in enumerate(refs):
        with bad.catching(f"{path}, row {row}"):
            _check_ref(ref)
            splits.add(ref["split"])
            if ref["split"] == split:
                yield ref
    if not splits:
        bad.report(0, str(path))
    if split not in splits:
        known = ", ".join(sorted(splits))
        raise UserError(f"{path}: has no ref of the split {split!r}; it has {known}.")


def count_sentences(path: Path) -> Counter[str]:
    """How many sentences each split of a refs file has; what is no ref has none."""
    counts, bad = Counter[str](), BadSamples("skip")
    for ref in load_plain_pickle(path):
        with bad.catching(str(path)):
            _check_ref(ref)
            counts[ref["split"]] += len(ref["sentences"])
    return counts


def _check_ref(ref: Any) -> None:
    if not isinstance(ref, dict):
        raise UserError("not a ref of a REFER file: it is not a dictionary.")
    for field, kind in _REF_FIELDS.items():
        if type(ref.get(field)) is not kind:
            raise UserError(f"not a ref of a REFER file: `{field}` is not {kind.__name__}.")
    if any(abs(ref[field]) >= _LARGEST_ID for field in ("ref_id", "ann_id", "image_id")):
        raise UserError("not a ref of a REFER file: an id has too many digits.")
    if not ref["sentences"]:
        raise UserError("the ref has no sentence; leave it out.")


def _describe(
    refs: Iterable[Ref], instances: _Instances, path: Path, bad: BadSamples
) -> Iterator[tuple[str, Ref, dict[str, Any]]]:
    """The place of each ref, the ref, and the columns that its sentences share."""
    seen: set[int] = set()
    for ref in refs:
        where = f"{path}, ref_id {ref['ref_id']}"
        with bad.catching(where):
            if ref["ref_id"] in seen:
                raise UserError("a ref before it has the same ref_id.")
            seen.add(ref["ref_id"])
            yield where, ref, instances.describe(ref)


def _questions(
    ref: Ref, sentences: Sentences, name: str, where: str, bad: BadSamples
) -> Iterator[dict[str, Any]]:
    """The columns of the sentences of `ref` that are asked, but for those that are bad."""
    told = [one.get("sent") if isinstance(one, dict) else None for one in ref["sentences"]]
    asked = range(len(told)) if sentences == "all" else [first_with_words(told)]
    for index in asked:
        with bad.catching(where):
            query = read_sentence(told[index], index, sentences)
            yield {"sample_id": f"{name}/{index}", "query": query, "sentence_index": index}


def read_sentence(sentence: object, index: int, sentences: Sentences) -> str:
    """A sentence as it is asked; raises UserError where it cannot be."""
    query = check_query(sentence, f"sentence {index}")
    return query.lower() if sentences == "all" else query


def first_with_words(sentences: Sequence[object]) -> int:
    """The place of the first sentence that is not empty; 0 where all are.

    >>> first_with_words(["", " ", "left ball"])
    2
    """
    blank = (isinstance(one, str) and not one.strip() for one in sentences)
    return next((place for place, is_blank in enumerate(blank) if not is_blank), 0)


class _Instances:
    """The annotations of `instances.json`; an image is checked once, however many refs it has."""

    def __init__(self, root: Path, path: Path) -> None:
        self.root = root
        self.path = path
        self.file = JsonLists(path, MOST_BYTES, REMEDY)
        self.images, self.annotations = find_entries(self.file, path, "images", "annotations")
        self.image = cache(self._check_image)

    def describe(self, ref: Ref) -> dict[str, Any]:
        """The columns that all sentences of `ref` share. Raises UserError where it is bad."""
        if ref["ann_id"] not in self.annotations:
            raise UserError(f"its annotation {ref['ann_id']} is not in {self.path}.")
        annotation = self.file.read(self.annotations[ref["ann_id"]])
        if annotation.get("image_id") != ref["image_id"]:
            raise UserError(f"its annotation {ref['ann_id']} belongs to another image.")
        image_path, width, height = self.image(ref["image_id"])
        with prefix_errors(f"annotation {ref['ann_id']} of {self.path}"):
            mask = masks.segmentation_to_mask(annotation.get("segmentation"), height, width)
            if not mask.any():
                raise UserError("its segmentation covers no pixel.")
        return {
            "image_id": str(ref["image_id"]),
            "image_path": image_path,
            "width": width,
            "height": height,
            "box": masks.mask_box(mask),
            "mask": masks.encode_mask(mask),
            "ignore": None,
        }

    def _check_image(self, image_id: int) -> tuple[str, int, int]:
        """Its path below the root, width and height; raises UserError where it is bad."""
        if image_id not in self.images:
            raise UserError(f"its image {image_id} is not in {self.path}.")
        image = self.file.read(self.images[image_id])
        name, width, height = (image.get(field) for field in ("file_name", "width", "height"))
        if not is_text(name) or Path(name).name != name:
            raise UserError(f"image {image_id} of {self.path} has no file name.")
        if type(width) is not int or type(height) is not int:
            raise UserError(f"image {image_id} of {self.path} has no width and height.")
        check_image(self.root / "train2014" / name, (width, height))
        return f"train2014/{name}", width, height
