"""Names and shapes of weights, without the weights: what files hold, what a model needs.

A safetensors file says both in its header, so that a checkpoint of any size is read in moments.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from samr1.core.errors import UserError

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

_NAMED = 3  # how many of many keys a sentence names


def tensor_shapes(tensors: Mapping[str, Tensor]) -> Shapes:
    """The shapes of a state dict, which may be on the meta device."""
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def safetensors_files(folder: Path) -> list[Path]:
    """The weight files of a `transformers` folder, all of them there: one, or those of its index.

    Raises UserError where there is none (older formats can run code and are not read), or where one
    that the index names is missing.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        raise UserError(
            f"{folder}: holds neither {single.name} nor {index.name}; only safetensors are read."
        )
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index}: cannot be read ({error!r}); get it again.") from error
    files = [folder / name for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"{folder}: lacks {_some(missing)} of the {len(files)} weight files in {index.name}; "
            "get the missing ones."
        )
    return files


def safetensors_shapes(files: Iterable[Path]) -> Shapes:
    """The names and shapes that safetensors files hold, read from their headers alone.

    Raises UserError where a file is broken or cut short, or two files hold the same name.
    """
    shapes: Shapes = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                names = opened.keys()
                found = {name: tuple(opened.get_slice(name).get_shape()) for name in names}
        except (SafetensorError, OSError) as error:
            raise UserError(f"{file}: cannot be read ({error}); get it again.") from error
        if twice := sorted(shapes.keys() & found.keys()):
            raise UserError(f"{file}: holds {_some(twice)}, as another of its files does.")
        shapes |= found
    return shapes


def find_mismatch(needed: Mapping[str, Shape], found: Mapping[str, Shape]) -> str | None:
    """How `found` differs from `needed`, the first keys named and all counted; None where equal.

    >>> find_mismatch({"a": (2,), "b": (1,)}, {"a": (3,), "c": (1,)})
    '1 missing (b), 1 unexpected (c), 1 of another shape (a: (3,) instead of (2,))'
    """
    missing = [key for key in needed if key not in found]
    unexpected = [key for key in found if key not in needed]
    reshaped = [
        f"{key}: {found[key]} instead of {needed[key]}"
        for key in needed
        if key in found and found[key] != needed[key]
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": reshaped}
    parts = [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in kinds.items() if keys]
    return ", ".join(parts) or None


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (", …" if len(keys) > _NAMED else "")
