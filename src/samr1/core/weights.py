"""Files of weights: their names and shapes without the weights, and one written as it is digested.

A safetensors file says both in its header, so that a checkpoint of any size is read in moments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from samr1.core.errors import UserError, refusing
from samr1.core.reading import load_object

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

_NAMED = 3  # how many of many keys a sentence names
_MOST_INDEX = _MOST_HEADER = 2**22  # bytes; those of a 72B model have less than a million
_LONGEST = 200  # characters of a file's name
_NUMBERS = {"F64", "F32", "F16", "BF16"}
BYTES_AT_ONCE = 2**26  # bytes that pass through the host's memory at once
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.uint8: "U8",
}


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
    places = load_object(index, _MOST_INDEX).get("weight_map")
    if not isinstance(places, dict) or not places or not all(map(_is_weight_file, places.values())):
        raise UserError(
            f"{index}: has no weight_map of names to .safetensors files beside it; get it again."
        )
    files = [folder / name for name in sorted(set(places.values()))]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise UserError(
            f"{folder}: lacks {_some(missing)} of the {len(files)} weight files in {index.name}; "
            "get the missing ones."
        )
    return files


def _is_weight_file(name: object) -> bool:
    if not isinstance(name, str) or not name.isprintable() or len(name) > _LONGEST:
        return False
    return name == Path(name).name and name.endswith(".safetensors")


def safetensors_shapes(files: Iterable[Path], integers: bool = False) -> Shapes:
    """The names and shapes that safetensors files hold, read from their headers alone.

    Raises UserError where a file is broken or cut short, two files hold the same name, or one holds
    what is no floating-point number (or, with `integers`, no number of the library's indices).
    """
    shapes: Shapes = {}
    for file in files:
        with refusing(f"{file}: cannot be read", "get it again"):
            _check_header(file)
            with safe_open(file, framework="pt") as opened:
                slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
                found = {name: tuple(one.get_shape()) for name, one in slices.items()}
                kinds = {name: one.get_dtype() for name, one in slices.items()}
        allowed = _NUMBERS | ({"I64"} if integers else set())
        if other := [name for name, kind in kinds.items() if kind not in allowed]:
            raise UserError(
                f"{file}: holds {other[0]} as {kinds[other[0]]}, which are no floating-point "
                "numbers; use a checkpoint that is not quantized."
            )
        if twice := sorted(shapes.keys() & found.keys()):
            raise UserError(f"{file}: holds {_some(twice)}, as another of its files does.")
        shapes |= found
    return shapes


def _check_header(file: Path) -> None:
    with file.open("rb") as opened:
        if (length := int.from_bytes(opened.read(8), "little")) > _MOST_HEADER:
            raise UserError(f"{file}: claims a header of {length:,} bytes; get it again.")


def check_finite(model: nn.Module, where: str) -> None:
    """Raise UserError where a number that was loaded into `model` is infinite or none."""
    for name, weight in model.state_dict().items():  # what is no parameter but a buffer, too
        # One pass that copies nothing: the least and the greatest of them are NaN where one is.
        if weight.numel() and not all(bool(end.isfinite()) for end in weight.aminmax()):
            raise UserError(
                f"{where}: holds numbers in {name} that are infinite or none; get it again."
            )


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write `tensors` as a safetensors file and return its SHA-256, taken on the way.

    A GPU's tensors come to the host in parts. Raises OSError where the disk does not take them.
    """
    # The widest first, so that each begins at a multiple of its number's size.
    ordered = sorted(tensors.items(), key=lambda one: (-one[1].element_size(), one[0]))
    entries, end = {}, 0
    for name, tensor in ordered:
        start, end = end, end + tensor.numel() * tensor.element_size()
        entries[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for part in (len(header).to_bytes(8, "little"), header):
            digest.update(part)
            file.write(part)
        for _, tensor in ordered:
            for some in tensor.detach().flatten().split(BYTES_AT_ONCE // tensor.element_size()):
                data = some.cpu().view(torch.uint8).numpy().data
                digest.update(data)
                file.write(data)
    return digest.hexdigest()


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
