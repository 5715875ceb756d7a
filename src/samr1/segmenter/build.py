"""Build a SAM 2 image model from its configuration and give it its weights.

The configuration is in the form of the public SAM 2 yaml files (`_target_` and arguments). Only
classes below `sam2.modeling` may be named, so that a configuration file cannot run other code; and
Meta's checkpoints, which are pickles, are read by torch's loader of plain weights, which runs none.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors import SafetensorError
from safetensors.torch import load_file
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from samr1.core.errors import UserError
from samr1.core.weights import find_mismatch, tensor_shapes
from samr1.segmenter.files import SegmenterFiles

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

    Raises UserError when the configuration names a class outside `sam2.modeling`, or one that does
    not take its arguments.
    """
    _check_targets(config, where)
    try:
        model: SAM2Base = instantiate(dict(config), _recursive_=True, _convert_="all")
    except InstantiationException as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where}: no SAM 2 can be built of it ({reason}).") from error
    return model.eval()


def read_config(file: Path) -> dict[str, Any]:
    """The `_target_` tree of a yaml file; in sam2's own files it stands under `model`.

    Raises UserError where the file cannot be read or holds no mapping.
    """
    try:
        # Not by a plain YAML reader, to which 1e-6 is a word.
        config: Any = OmegaConf.to_container(OmegaConf.load(file))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: cannot be read ({reason}); get it again.") from error
    config = config.get("model", config) if isinstance(config, dict) else None
    if not isinstance(config, dict) or "_target_" not in config:
        raise UserError(f"{file}: must be a mapping with a _target_; get it again.")
    return config


def read_weights(file: Path) -> dict[str, Tensor]:
    """The state dict in a `.safetensors` file, or under `model` in one of Meta's `.pt` files.

    On the CPU. Raises UserError where the file is broken or holds anything but tensors.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{file}: asks to run code, or is no file of weights, and is not loaded; get it from "
            "Meta or the model hub."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: cannot be read ({reason}); get it again.") from error
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in weights.items()
    ):
        raise UserError(f"{file}: holds no weights under `model`, as Meta's files do; get its own.")
    return weights


def load_sam2(files: SegmenterFiles) -> SAM2Base:
    """The SAM 2 of `files`, in eval mode, on the CPU.

    Raises UserError when a file cannot be read or the weights do not fit the configuration.
    """
    model = build_sam2(read_config(files.config), str(files.config))
    weights = read_weights(files.weights)
    mismatch = find_mismatch(tensor_shapes(model.state_dict()), tensor_shapes(weights))
    if mismatch:
        raise UserError(
            f"{files.weights}: the weights do not fit {files.config.name}: {mismatch}; get the "
            "file that belongs to it."
        )
    model.load_state_dict(weights)
    return model
