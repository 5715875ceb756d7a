"""Build a SAM 2 image model from a folder of `config.yaml` + `model.safetensors`.

The configuration is in the form of the public SAM 2 yaml files (`_target_` and arguments). Only
classes below `sam2.modeling` may be named, so that a configuration file cannot run other code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import instantiate
from safetensors.torch import load_file
from sam2.modeling.sam2_base import SAM2Base

from samr1.errors import UserError

ALLOWED_PREFIX = "sam2.modeling."


def _check_targets(node: Any, where: str) -> None:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "_target_" and not str(value).startswith(ALLOWED_PREFIX):
                raise UserError(
                    f"{where}: _target_ {value!r} is not allowed; only classes below "
                    f"{ALLOWED_PREFIX}* may be built."
                )
            if str(key).startswith("_") and key != "_target_":
                raise UserError(f"{where}: the key {key!r} is not allowed in a SAM 2 config.")
            _check_targets(value, where)
    elif isinstance(node, list):
        for value in node:
            _check_targets(value, where)


def build_sam2(config: Mapping[str, Any], where: str = "config") -> SAM2Base:
    """A SAM 2 with random weights, in eval mode, from a configuration with a `_target_` tree.

    Raises UserError when the configuration names a class outside `sam2.modeling`.
    """
    _check_targets(config, where)
    model: SAM2Base = instantiate(dict(config), _recursive_=True, _convert_="all")
    return model.eval()


def load_sam2(folder: Path) -> SAM2Base:
    """The SAM 2 of `folder` (`config.yaml`, `model.safetensors`), in eval mode, on the CPU.

    Raises UserError when a file is missing or the weights do not fit the configuration.
    """
    for name in ("config.yaml", "model.safetensors"):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: no such file; a segmenter folder needs it.")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    model = build_sam2(config, str(folder / "config.yaml"))
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except RuntimeError as error:
        raise UserError(
            f"{folder / 'model.safetensors'}: the weights do not fit config.yaml ({error})."
        ) from error
    return model
