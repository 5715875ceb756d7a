"""Build a SAM 2 image model from its configuration and give it its weights.

The configuration is data (`samr1.segmenter.schema`); and Meta's checkpoints, which are pickles, are
read by torch's loader of plain weights, which runs none of what they ask for.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

import torch
from safetensors.torch import load_file
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor, nn

from samr1.config.errors import read_mapping
from samr1.config.schema import parse_config
from samr1.core.errors import UserError, refusing
from samr1.core.weights import check_finite, find_mismatch, safetensors_shapes, tensor_shapes
from samr1.segmenter.files import SegmenterFiles
from samr1.segmenter.schema import Sam2Part


def build_sam2(config: Mapping[str, Any], where: str = "config") -> SAM2Base:
    """A SAM 2 with random weights, in eval mode, from a configuration with a `_target_` tree.

    Raises UserError where the configuration names anything but the classes of a SAM 2 and their
    arguments, or values of which there is none.
    """
    part = parse_config(dict(config), Sam2Part, where)
    with refusing(f"{where}: no SAM 2 can be built of it", "get it again"):
        model: SAM2Base = part.build()
    return model.eval()


def read_config(file: Path) -> dict[str, Any]:
    """The `_target_` tree of a yaml file; in sam2's own files it stands under `model`.

    Raises UserError where the file cannot be read or holds no mapping.
    """
    config = read_mapping(file)
    config = config.get("model", config)
    if not isinstance(config, dict) or "_target_" not in config:
        raise UserError(f"{file}: must be a mapping with a _target_; get it again.")
    return config


def read_weights(file: Path) -> dict[str, Tensor]:
    """The state dict in a `.safetensors` file, or under `model` in one of Meta's `.pt` files.

    On the CPU, mapped from the disk. Raises UserError where the file is broken or holds anything
    but floating-point numbers.
    """
    with refusing(f"{file}: cannot be read", "get it again"):
        if file.suffix == ".safetensors":
            safetensors_shapes([file])
            return load_file(file)
        zipped = is_zipfile(file)
        if zipped and any(one.compress_type for one in ZipFile(file).infolist()):
            raise UserError(f"{file}: is packed, which torch's own files are not; get it again.")
        try:
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
        except pickle.UnpicklingError as error:
            raise UserError(
                f"{file}: asks to run code, or is no file of weights, and is not loaded; get it "
                "from Meta or the model hub."
            ) from error
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(
        isinstance(key, str) and _is_weight(value) for key, value in weights.items()
    ):
        raise UserError(
            f"{file}: holds no weights under `model`, floating-point numbers as in Meta's files; "
            "get its own."
        )
    return weights


def _is_weight(value: object) -> bool:
    # torch's loader also makes tensors without data, or of another layout or kind of number.
    return (
        isinstance(value, Tensor)
        and type(value) in (Tensor, nn.Parameter)
        and value.layout == torch.strided
        and value.is_floating_point()
        and value.device.type == "cpu"
    )


def load_sam2(files: SegmenterFiles) -> SAM2Base:
    """The SAM 2 of `files`, in eval mode, on the CPU.

    Raises UserError when a file cannot be read, or the weights are no finite numbers or do not fit
    the configuration. What does not fit takes no memory.
    """
    config = read_config(files.config)
    weights = read_weights(files.weights)
    least = parse_config(config, Sam2Part, str(files.config)).least_numbers()
    if least > (numbers := sum(weight.numel() for weight in weights.values())):
        raise UserError(
            f"{files.weights}: the weights do not fit {files.config.name}: they are {numbers:,} "
            f"numbers, and its sizes need at least {least:,}; get the file that belongs to it."
        )
    model = build_sam2(config, str(files.config))
    mismatch = find_mismatch(tensor_shapes(model.state_dict()), tensor_shapes(weights))
    if mismatch:
        raise UserError(
            f"{files.weights}: the weights do not fit {files.config.name}: {mismatch}; get the "
            "file that belongs to it."
        )
    model.load_state_dict(weights)
    check_finite(model, str(files.weights))
    return model
