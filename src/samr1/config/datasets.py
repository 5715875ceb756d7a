"""The schema of `config/datasets.yaml`: where the public data sets come from."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from samr1.config.base import Frozen, Positive, refusal
from samr1.config.errors import read_mapping, show
from samr1.config.schema import parse_config
from samr1.core.errors import UserError


def _stay_inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in value:
        raise ValueError("must be a path below the data root, such as refcoco/instances.json")
    return str(path)


Inside = Annotated[str, AfterValidator(_stay_inside)]
"""A path relative to the data root."""


class Source(Frozen):
    """One file to download; an archive is removed once it is unpacked."""

    url: Annotated[str, Field(pattern=r"^https?://[!-~]+$")]
    """Where it is fetched from."""
    to: Inside
    """Where it goes; with `unpack`, the folder that becomes the archive's folder of that name."""
    unpack: bool = False
    """Whether it is a zip file to unpack."""
    bytes: Positive
    """Its size, which is checked."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Its SHA-256, which is checked."""


class Dataset(Frozen):
    """One data set: what it is known by, and how it gets there."""

    holds: Annotated[tuple[Inside, ...], Field(min_length=1)]
    """Files, and folders with something in them; where all are there, nothing is fetched."""
    files: tuple[Source, ...] = ()
    """What is downloaded otherwise."""
    takes_bytes: Positive | None = None
    """About what it takes on the disk once it is there; null where nobody has told it."""
    by_hand: str | None = None
    """What a person has to do, in words, where no program may or can."""

    @model_validator(mode="after")
    def _one_way(self) -> Dataset:
        if bool(self.files) == (self.by_hand is not None):
            raise refusal("by_hand", self.by_hand, "must be given without files, and only there")
        return self


def load_datasets(path: Path) -> dict[str, Dataset]:
    """Read `config/datasets.yaml`; raises UserError naming the file, the data set and the key."""
    return {
        name: parse_config(values, Dataset, f"{path}: data set {name}")
        for name, values in read_mapping(path).items()
    }


def get_dataset(path: Path, name: str) -> Dataset:
    """One data set of `path`; raises UserError where it has none of that name."""
    datasets = load_datasets(path)
    if name not in datasets:
        raise UserError(f"{path}: has no data set {show(name)}; it has {', '.join(datasets)}.")
    return datasets[name]
