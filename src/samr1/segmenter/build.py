"""Build a SAM 2 image model from its configuration and give it its weights.

The configuration is data (`samr1.segmenter.schema`); and Meta's checkpoints, which are pickles, are
read by torch's loader of plain weights, which runs none of what they ask for.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from samr1.config.errors import read_mapping
from samr1.config.schema import parse_config
from samr1.core.errors import UserError
from samr1.core.weights import find_mismatch, tensor_shapes
from samr1.segmenter.files import SegmenterFiles
from samr1.segmenter.schema import Sam2Part

_MAX_BYTES = 65_536
_MAX_DEPTH = 16  # of the YAML; Meta's files have seven levels


def build_sam2(config: Mapping[str, Any], where: str = "config") -> SAM2Base:
    """A SAM 2 with random weights, in eval mode, from a configuration with a `_target_` tree.

    Raises UserError where the configuration names anything but the classes of a SAM 2 and their
    arguments, or values of which there is none.
    """
    part = parse_config(dict(config), Sam2Part, where)
    try:
        model: SAM2Base = part.build()
    # What SAM 2's classes raise on values that do not fit together has no type of its own.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{where}: no SAM 2 can be built of it ({reason}).") from error
    return model.eval()


def read_config(file: Path) -> dict[str, Any]:
    """The `_target_` tree of a yaml file; in sam2's own files it stands under `model`.

    Raises UserError where the file cannot be read or holds no mapping.
    """
    _check_simple(file)
    config = read_mapping(file)
    config = config.get("model", config)
    if not isinstance(config, dict) or "_target_" not in config:
        raise UserError(f"{file}: must be a mapping with a _target_; get it again.")
    return config


def _check_simple(file: Path) -> None:
    """Raise UserError unless `file` is short and shallow YAML without aliases, as Meta's files are.

    The events of a YAML file are read one by one; a tree of it could be endless.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise UserError(f"{file}: has more than {_MAX_BYTES} bytes; get it again.")
        depth = 0
        for event in yaml.parse(file.read_text(encoding="utf-8"), yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                raise UserError(
                    f"{file}: line {event.start_mark.line + 1} repeats a part by an alias, or is "
                    f"more than {_MAX_DEPTH} levels deep; get it again."
                )
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file}: cannot be read ({reason}); get it again.") from error


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
