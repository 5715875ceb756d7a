"""How a policy is to be asked: the few settings that its weights do not tell.

They stand in `samr1.json` beside the weights of every policy that was trained here, so that its
folder or repository is all that using it needs.
"""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from samr1.config.base import Frozen
from samr1.config.names import DialectName
from samr1.config.schema import TrainStage, parse_config
from samr1.core.hub import HubName, fetch_file_if_there, require
from samr1.core.reading import load_object

FILE = "samr1.json"
_MAX_BYTES = 65_536

MICRO = "micro"
"""The name of the tiny models that are shipped: the policy that `sam_r1` trained, a segmenter."""


class PromptSettings(Frozen):
    """What a policy was trained with and is asked with."""

    dialect: DialectName
    image_size: Annotated[int, Field(ge=1, le=3584)]
    """Side in pixels of the square image that it sees, up to Qwen2.5-VL's own 128 tokens."""
    dtype: Literal["float32", "bfloat16"]
    """Number format of its weights."""
    max_response_tokens: Annotated[int, Field(ge=1, le=32_768)]
    """Longest response in tokens."""
    segmenter: str
    """Which one its reward came from: a path, a hub name with its commit, or `micro`."""


# The base that it was trained from, which is shipped too, for runs.
BASE_SETTINGS = PromptSettings(
    dialect="sam_r1", image_size=84, dtype="float32", max_response_tokens=96, segmenter=MICRO
)

# The paper's; what a checkpoint that was trained elsewhere is asked with.
DEFAULT_SETTINGS = PromptSettings(
    dialect="sam_r1",
    image_size=840,
    dtype="bfloat16",
    max_response_tokens=1024,
    segmenter="facebook/sam2-hiera-large@e6a8e8809b8f1bfa2238b6d080f3d05cc76bd251",
)


Model = Literal["policy", "segmenter"]


def resolve(path: str | Path, model: Model) -> str:
    """A path or hub name as it is; for `micro` the folder of the tiny `model` that is shipped."""
    folder = "sam_r1" if model == "policy" else model
    return str(_weights() / folder) if str(path) == MICRO else str(path)


def _weights() -> Path:
    return Path(str(resources.files("samr1") / "micro/weights"))


def settings_of(stage: TrainStage) -> PromptSettings:
    """The settings of the policy that `stage` trains."""
    segmenter = stage.segmenter.path
    return PromptSettings(
        dialect=stage.dialect,
        image_size=stage.policy.image_size,
        dtype=stage.policy.dtype,
        max_response_tokens=stage.train.max_response_tokens,
        segmenter=MICRO if is_shipped(segmenter, "segmenter") else segmenter,
    )


def write_settings(settings: PromptSettings) -> str:
    """The content of `samr1.json`."""
    return json.dumps(settings.model_dump(), indent=2) + "\n"


def read_settings(policy: str | Path) -> PromptSettings | None:
    """The settings of the policy at `policy` (folder, hub name or `micro`); None where it has none.

    Raises UserError where it cannot be read, or holds what no settings may.
    """
    path = resolve(policy, "policy")
    place = require(path)
    if is_shipped(path, "policy"):
        return BASE_SETTINGS
    file = fetch_file_if_there(place, FILE) if isinstance(place, HubName) else place / FILE
    if file is None or not os.path.isfile(file):
        return None
    return parse_config(load_object(file, _MAX_BYTES), PromptSettings, str(file))


def is_shipped(path: str, model: Model) -> bool:
    """Whether `path` is the folder of the tiny base policy or segmenter that runs begin with."""
    return Path(path).resolve() == (_weights() / model).resolve()
