"""The size of a segmenter without building it.

Counted of the models that the sam2 package builds from its own yaml files; a SAM 2 cannot be built
on torch's meta device.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from samr1.config.errors import read_mapping

_BYTES = 4  # its weights are float32
_WEIGHTS = {".safetensors", ".pt"}

# name on the hub -> numbers of its weights, channels of the first stage
_KNOWN = {
    "sam2-hiera-tiny": (38_945_986, 96),
    "sam2-hiera-small": (46_043_842, 96),
    "sam2-hiera-base-plus": (80_833_666, 112),
    "sam2-hiera-large": (224_430_130, 144),
    "sam2.1-hiera-tiny": (38_962_498, 96),
    "sam2.1-hiera-small": (46_060_354, 96),
    "sam2.1-hiera-base-plus": (80_850_178, 112),
    "sam2.1-hiera-large": (224_446_642, 144),
}


@dataclass(frozen=True)
class SegmenterSize:
    """The bytes of a segmenter's weights, and the channels of its encoder's first stage."""

    weights: int
    channels: int


def find_segmenter_size(path: str) -> SegmenterSize:
    """The size of a local segmenter (folder or file) or of a public checkpoint, by its hub name.

    What a folder does not say, and a name that is not known, count as the largest public one's.
    """
    place = Path(path)
    name = path.partition("@")[0].rpartition("/")[2].lower()
    numbers, channels = _KNOWN.get(name, _KNOWN["sam2.1-hiera-large"])
    weights = numbers * _BYTES
    if place.exists():
        files = [place] if place.is_file() else sorted(place.iterdir())
        weights = sum(file.stat().st_size for file in files if file.suffix in _WEIGHTS)
    config = place / "config.yaml"
    if config.is_file():
        values = read_mapping(config)
        with suppress(KeyError, TypeError):  # not for here to refuse
            said = values.get("model", values)["image_encoder"]["trunk"]["embed_dim"]
            channels = said if type(said) is int else channels
    return SegmenterSize(weights, channels)
