"""Policies and other models of strangers: how each file of a whole one is spoilt."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

Spoil = Callable[[Path], object]
CONFIG, GENERATION = "config.json", "generation_config.json"
TOKENIZER, PIPELINE = "tokenizer_config.json", "tokenizer.json"
IMAGES, TEMPLATE = "preprocessor_config.json", "chat_template.jinja"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
DEEP = "[" * 100_000


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `content` with `value` at the dotted `path`."""
    made = copy.deepcopy(content)
    *parents, last = path.split(".")
    place = made
    for parent in parents:
        place = place[parent]
    place[last] = value
    return made


def put(file: str, path: str, value: Any) -> Spoil:
    """Set one value, by its dotted path, in a JSON file."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(changed(content, path, value)))

    return spoil


def text(file: str, content: str | bytes) -> Spoil:
    """Write a file anew."""
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / file).write_bytes(data)


def lose(file: str) -> Spoil:
    return lambda folder: (folder / file).unlink()


def weight(name: str, change: Callable[[Tensor], Tensor]) -> Spoil:
    def spoil(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS)
        weights[name] = change(weights[name].clone())
        save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})

    return spoil


def first(value: float) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        tensor.view(-1)[0] = value
        return tensor

    return change


def index(content: Any) -> Spoil:
    """Name the weights by an index, as those in several files are."""

    def spoil(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
        (folder / INDEX).write_text(content if isinstance(content, str) else json.dumps(content))

    return spoil


def claim(shape: list[int]) -> bytes:
    """A safetensors file of four bytes of weights that claims more."""
    header = {"model.norm.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + bytes(4)


def sparse(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        with (folder / file).open("wb") as opened:
            opened.truncate(10**10)

    return spoil


def fifo(file: str) -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / file).unlink()
        os.mkfifo(folder / file)

    return spoil
