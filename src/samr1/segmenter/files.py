"""Where a SAM 2 comes from: which file describes it and which holds its weights.

By one rule. A folder holds our `config.yaml` and `model.safetensors`. A file is one of Meta's eight
`.pt` checkpoints, under the name that Meta gave it, and the name says which of sam2's own yaml
files describes it. A hub name is the repository of one of the eight, and means its `.pt`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from samr1.core.errors import UserError
from samr1.core.hub import HubName, fetch_file, require

_SIZES = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}

# The SHA-256 of the .pt files that Meta published (segment_anything_2/072824 and 092824).
PUBLISHED = {
    "sam2_hiera_tiny": "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125",
    "sam2_hiera_small": "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3",
    "sam2_hiera_base_plus": "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071",
    "sam2_hiera_large": "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b",
    "sam2.1_hiera_tiny": "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    "sam2.1_hiera_small": "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    "sam2.1_hiera_base_plus": "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    "sam2.1_hiera_large": "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
}


@dataclass(frozen=True)
class SegmenterFiles:
    """The two files that a SAM 2 is made from, both there."""

    config: Path  # yaml
    weights: Path  # .safetensors, or .pt as Meta writes it


def find_sam2(path: str | Path) -> SegmenterFiles:
    """The files of the segmenter at `path`, downloaded where it is a hub name.

    Raises UserError where a file is missing or its name is none of Meta's.
    """
    place = require(path)
    if isinstance(place, HubName):
        name = _published(place.name.removeprefix("facebook/").replace("-", "_"), place)
        return SegmenterFiles(published_config(name), fetch_file(place, f"{name}.pt"))
    if place.suffix == ".pt":
        found = SegmenterFiles(published_config(_published(place.stem, place)), place)
    else:
        found = SegmenterFiles(place / "config.yaml", place / "model.safetensors")
    for file in (found.config, found.weights):
        if not file.is_file():
            raise UserError(
                f"{file}: no such file; a segmenter is a folder with config.yaml and "
                "model.safetensors, or one of Meta's .pt files."
            )
    return found


def published_config(name: str) -> Path:
    """sam2's own yaml file of one of Meta's checkpoints, such as `sam2.1_hiera_large`."""
    family, _, size = name.partition("_hiera_")
    file = resources.files("sam2") / f"configs/{family}/{family}_hiera_{_SIZES[size]}.yaml"
    return Path(str(file))


def _published(name: str, place: Path | HubName) -> str:
    if name not in PUBLISHED:
        raise UserError(
            f"{place}: is none of Meta's checkpoints, which are {', '.join(PUBLISHED)}; give the "
            "file its own name again, because the name says which SAM 2 it is."
        )
    return name
