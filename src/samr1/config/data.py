"""The data's part of the configuration: the training questions, the drawn world, the benchmarks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from samr1.config.base import Frozen, NonNegative, Positive, Text, Word, refusal
from samr1.config.names import PublicDataset
from samr1.core.hub import locate_dataset

Mirror = Annotated[str, AfterValidator(locate_dataset)]


class WorldConfig(Frozen):
    """Sizes of the drawn world: refs (one object, one sentence or more) or images of each split."""

    refcocog_train_refs: Positive
    """Refs of the RefCOCOg-like training split; the training questions are drawn from them."""
    refcocog_test_refs: Positive
    """Refs of the RefCOCOg-like test split."""
    refcoco_testa_refs: Positive
    """Refs of the RefCOCO-like testA split."""
    refcocop_testa_refs: Positive
    """Refs of the RefCOCO+-like testA split."""
    reasonseg_val: Positive
    """Images of the ReasonSeg-like validation split."""
    reasonseg_test: Positive
    """Images of the ReasonSeg-like test split."""
    seed: NonNegative
    """Seeds the drawing of every scene."""


class TrainingData(Frozen):
    """The pool of training questions; how many are drawn is a run's `train.samples`."""

    dataset: Literal["refcoco", "refcoco+", "refcocog"]
    """The data set of the pool."""
    split_by: Literal["unc", "google", "umd"]
    """Who made its splits."""
    split: Word
    """The split that is the pool."""
    seed: NonNegative
    """Seeds the draw of the training samples."""
    leave_out_benchmark_images: bool
    """Leave out of the pool every image that a benchmark shows."""
    mirror: Mirror | None = None
    """The pool's mirror, with masks, owner/name@commit; null always reads the files."""


class DataConfig(Frozen):
    root: Word | None = None
    """Folder with the public data sets (`workflow/README.md`); null where the world is drawn."""
    world: WorldConfig | None = None
    """The micro world to draw; its folder is then the root."""
    training: TrainingData
    on_bad_sample: Literal["stop", "skip"]
    """Stop at the first sample that cannot be read, or skip and count it."""
    layout: Literal["files", "mirror"] = "files"
    """Read the data sets' own files; or, for all that has a `mirror`, that one instead."""
    check_counts: bool = True
    """Stop where a split is not as large as published; false for a subset."""

    @model_validator(mode="after")
    def _one_source(self) -> DataConfig:
        if (self.root is None) == (self.world is None):
            raise refusal(
                "root", self.root, "must be given where no world is drawn, and only there"
            )
        if self.world is not None and self.layout == "mirror":
            raise refusal("layout", self.layout, "must be files where the world is drawn")
        return self


class Benchmark(Frozen):
    """One benchmark: which split of which data set, read how."""

    dataset: PublicDataset
    """The data set; `lisa_grounding` is ReasonSeg's files, scored by boxes."""
    split: Word
    """The split of the data set that it is."""
    label: Text | None = None
    """What tables and figures call it; null is its name here."""
    split_by: Literal["unc", "google", "umd"] | None = None
    """Who made the split; for the RefCOCO family only."""
    sentences: Literal["first", "all"] = "first"
    """One question a ref or annotation (its first with words), or one a sentence."""
    mirror: Mirror | None = None
    """The split's mirror, owner/name@commit, read where `data.layout` is mirror; null is none."""

    @model_validator(mode="after")
    def _goes_with_refer(self) -> Benchmark:
        refer = self.dataset.startswith("refcoco")
        if (self.split_by is not None) != refer:
            raise refusal(
                "split_by", self.split_by, "must be given for RefCOCO sets and only there"
            )
        if self.sentences == "all" and not refer:
            raise refusal(
                "sentences", "all", f"must be first; {self.dataset} is scored on its first"
            )
        if self.mirror is not None and self.dataset == "lisa_grounding":
            raise refusal("mirror", self.mirror, "must be left out; no mirror has its first shapes")
        return self
