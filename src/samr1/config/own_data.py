"""The schema of `config/own_data.yaml`: data sets of one's own, read without code.

Boxes and masks are in pixels of the image as it lies in its file. Every image is of one of two
parts, `train` and `test`: by the data's own split, where it has one, or by a seeded share.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from samr1.config.base import Frozen, Name, Seed, Word, refusal
from samr1.config.data import Mirror

Layout = Literal["table", "coco", "labelme", "masks", "refer", "reasonseg", "mirror"]
Part = Literal["train", "test"]

# The layouts without which a key means nothing, and those that cannot be read without it.
_OF_SOME: dict[str, tuple[Layout, ...]] = {
    "file": ("table", "coco", "refer"),
    "mirror": ("mirror",),
    "images": ("table", "coco", "masks"),
    "masks": ("table", "masks"),
    "categories": ("masks",),
    "ignore_index": ("masks",),
    "target": ("table",),
    "questions": ("coco",),
    "question": ("coco", "labelme", "masks"),
    "test_share": ("table", "coco", "labelme", "masks", "mirror"),
    "instances": ("coco", "labelme"),
}
# And those that mean nothing beside another key's value.
_NOT_BESIDE = {
    ("questions", "captions"): ("question", "instances"),
    ("target", "box"): ("masks",),
}
_NEEDED: dict[str, tuple[Layout, ...]] = {
    "file": ("table", "coco", "refer"),
    "mirror": ("mirror",),
    "masks": ("masks",),
    "categories": ("masks",),
}


def _ask_of_category(value: str) -> str:
    if "{category}" not in value:
        raise ValueError('must hold {category}, as in "the {category}"')
    return value


def _stay_below(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or not value:
        raise ValueError("must be a path below `root`, such as images, or . for `root` itself")
    return str(path)


Split = Annotated[str, Field(pattern=r"^[^/\x00-\x1f]{1,100}$")]
"""A split's own name, which may be that of a folder."""
Index = Annotated[int, Field(ge=0, lt=2**16)]
Below = Annotated[str, AfterValidator(_stay_below)]
"""A path relative to the root of the data set."""
Template = Annotated[str, AfterValidator(_ask_of_category)]


class OwnData(Frozen):
    """One data set of one's own."""

    layout: Layout
    """How its files lie: a table of questions; a COCO file; labelme's JSON files; PNGs of class
    indices; REFER's refs with `train2014`; ReasonSeg's folders; a Parquet mirror of one of
    them."""
    root: Word
    """The folder that all other paths are below; relative to the repository, or absolute."""
    file: Below | None = None
    """The table (`.csv`, `.jsonl` or `.parquet`), COCO's JSON, or REFER's `NAME/refs(WHO).p`; where
    it is not in `root` itself, it is looked for in a folder a split (`train/FILE`, `test/FILE`)."""
    mirror: Mirror | None = None
    """The mirror's name on the hub, owner/name or owner/name@commit; its files lie below `root`, in
    `mirrors`, and its images where `unpack_mirror` puts them."""
    images: Below | None = None
    """The folder that names of images begin in; null is the folder of `file`, or `root`. Of masks
    also how the names end, where a mask's is another (masks): `leftImg8bit/*_leftImg8bit.png`."""
    masks: Below | None = None
    """The folder that names of masks begin in (table; null as for `images`), or that holds the PNG
    of each image under the image's name, or by its end (masks): `gtFine/*_gtFine_labelIds.png`."""
    target: Literal["mask", "box"] = "mask"
    """What the truth is: `box` is a table whose rows have a `box` alone; it is scored by boxes, and
    rewarded by the IoU of boxes."""
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the images that `seed` puts into `test`, where the data has no split of its own."""
    seed: Seed = 0
    """Seeds that draw."""
    train_split: Split = "train"
    """What the data's own split calls the part to train on."""
    test_split: Split = "test"
    """What it calls the part to test on; samples of any other split are left out and counted."""
    questions: Literal["template", "captions"] = "template"
    """What is asked (coco): `question` of each category, or of an annotation its own `caption`."""
    question: Template = "the {category}"
    """What is asked of a category (coco, masks) or label (labelme, where a file has no `text`)."""
    categories: Annotated[dict[Index, str], Field(min_length=1)] | tuple[str | None, ...] | None = (
        None
    )
    """Names of the class indices (masks), `{1: cat, 2: dog}` or a list from 0 on with null for what
    is not asked; an index without a name is background."""
    ignore_index: Index | None = None
    """The class index of pixels that are neither (masks), such as 255; null is none."""
    instances: Literal["union", "single"] = "union"
    """One question an image and category (coco, labelme): of the union of its instances, or asked
    only where there is a single one."""
    on_bad_sample: Literal["stop", "skip"] = "stop"
    """Stop at the first sample that cannot be read, or skip and count it."""

    @model_validator(mode="after")
    def _has_what_its_layout_has(self) -> OwnData:
        for key, layouts in _NEEDED.items():
            if self.layout in layouts and getattr(self, key) is None:
                raise refusal(key, None, f"must be given with layout {self.layout}")
        for key, layouts in _OF_SOME.items():
            if self.layout not in layouts:
                self._check_plain(key, f"layout {self.layout}")
        for (other, value), keys in _NOT_BESIDE.items():
            for key in keys if getattr(self, other) == value else ():
                self._check_plain(key, f"{other}: {value}")
        return self

    def _check_plain(self, key: str, beside: str) -> None:
        """Raise an error where `key`, which means nothing there, is another than by default."""
        value, plain = getattr(self, key), type(self).model_fields[key].default
        if value != plain:
            allowed = "left out" if plain is None else plain
            raise refusal(key, value, f"must be {allowed} with {beside}")

    @model_validator(mode="after")
    def _ignored_is_no_category(self) -> OwnData:
        if self.ignore_index in self.category_names:
            raise refusal("ignore_index", self.ignore_index, "must be none of the categories")
        return self

    @model_validator(mode="after")
    def _splits_differ(self) -> OwnData:
        if self.train_split == self.test_split:
            raise refusal("test_split", self.test_split, "must be another than train_split")
        return self

    @property
    def category_names(self) -> dict[int, str]:
        """The names of the class indices that are asked of."""
        named = self.categories or {}
        pairs = named.items() if isinstance(named, dict) else enumerate(named)
        return {index: name for index, name in pairs if name is not None}

    def stage(self, name: str) -> OwnDataStage:
        """The slice that reading and checking the data set `name` depends on."""
        return OwnDataStage(name=name, **self.model_dump())


class OwnDataStage(OwnData):
    """What `index_own` and `check_dataset` read, and nothing more."""

    name: Name
