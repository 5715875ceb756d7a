"""Which files a policy consists of, and a folder for `transformers` with these alone.

The library acts on much that may lie beside a policy: adapters, shards of other names, more chat
templates, files that a configuration names. It is shown a temporary folder with links to what is
meant, and in the place of the files of settings, copies with those that are known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from samr1.config.schema import parse_config
from samr1.core.errors import UserError, refusing
from samr1.core.hub import HubName, fetch_folder, require
from samr1.core.reading import check_file, load_object, read_bytes
from samr1.policy.schema import GenerationKeys, Keys

# All that loading reads; the hub's other formats of the same weights are left there.
PATTERNS = ["*.json", "*.jinja", "*.txt", "*.safetensors"]
SETTINGS = 2**20  # bytes at most of a file of settings; the published ones have a few thousand
_VOCABULARY = 2**24  # bytes at most; Qwen's tokenizer.json has 11 million
_GENERATION, _IMAGES = "generation_config.json", "preprocessor_config.json"
_TOKENIZER, _PIPELINE = "tokenizer_config.json", "tokenizer.json"
_VOCABULARIES = (_PIPELINE, "vocab.json", "merges.txt", "vocab.txt", "added_tokens.json")


def model_folder(path: str | Path) -> Path:
    """The folder of the model at `path`, downloaded where it is a hub name."""
    place = require(path)
    return fetch_folder(place, PATTERNS) if isinstance(place, HubName) else place


@contextmanager
def weights_alone(folder: Path, weights: Iterable[Path]) -> Iterator[Path]:
    """A temporary folder with the `weights` of `folder` and its generation_config.json, if any.

    Raises UserError where that cannot be read, or an adapter lies beside the weights.
    """
    if (folder / "adapter_config.json").exists():
        raise UserError(
            f"{folder}: holds an adapter beside the weights; merge it into them, or take its "
            "adapter_config.json away."
        )
    with TemporaryDirectory(prefix="samr1-") as name:
        stage, files = Path(name), list(weights)
        for file in files:
            (stage / file.name).symlink_to(file.resolve())
        if [file.name for file in files] != ["model.safetensors"]:
            places = {str(i): file.name for i, file in enumerate(files)}
            _write(stage / "model.safetensors.index.json", {"metadata": {}, "weight_map": places})
        if (folder / _GENERATION).is_file():
            _write(stage / _GENERATION, _known(folder / _GENERATION, GenerationKeys))
        yield stage


@contextmanager
def processors_alone(folder: Path, tokenizer: type[Keys], images: type[Keys]) -> Iterator[Path]:
    """A temporary folder with the files of the tokenizer and the image processor of `folder`.

    With the settings that `tokenizer` and `images` know. Raises UserError where they refuse one, or
    a file cannot be read.
    """
    with TemporaryDirectory(prefix="samr1-") as name:
        stage = Path(name)
        for file in (folder / one for one in _VOCABULARIES):
            if file.is_file():
                check_file(file, _VOCABULARY, "get it again")
                (stage / file.name).symlink_to(file.resolve())
        _write(stage / _TOKENIZER, _known(folder / _TOKENIZER, tokenizer))
        if template := _template(folder):
            with refusing(f"{folder}: its chat template cannot be read", "get it again"):
                (stage / "chat_template.jinja").write_text(template, encoding="utf-8")
        _write(stage / _IMAGES, _image_settings(folder, images))
        yield stage


def read_pipeline(folder: Path) -> dict[str, Any] | None:
    """The content of the tokenizer.json of `folder`; None where it has none."""
    file = folder / _PIPELINE
    return load_object(file, _VOCABULARY) if file.is_file() else None


def _settings(file: Path) -> dict[str, Any]:
    return load_object(file, SETTINGS) if file.is_file() else {}


def _known(file: Path, cls: type[Keys]) -> dict[str, Any]:
    """The settings in `file` that `cls` knows; none where there is no such file."""
    return parse_config(_settings(file), cls, str(file)).model_dump(
        exclude_unset=True, by_alias=True
    )


def _write(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values), encoding="utf-8")


def _template(folder: Path) -> str | None:
    """The chat template: of a file of its own, or as the tokenizer or the processor keeps it."""
    if (own := folder / "chat_template.jinja").is_file():
        with refusing(f"{own}: cannot be read", "get it again"):
            return read_bytes(own, SETTINGS, "get it again").decode("utf-8")
    places = (_settings(folder / name) for name in (_TOKENIZER, "chat_template.json"))
    template = next(filter(None, (place.get("chat_template") for place in places)), None)
    if isinstance(template, list):  # several by name
        named = [one for one in template if isinstance(one, dict) and one.get("name") == "default"]
        template = named[0].get("template") if named else None
    if template is not None and not isinstance(template, str):
        raise UserError(f"{folder}: its chat template is no text; get all its files again.")
    return template


def _image_settings(folder: Path, keys: type[Keys]) -> dict[str, Any]:
    """The settings of the image processor, of its own file or of the whole processor's."""
    file, values = folder / "processor_config.json", {}
    if file.is_file():
        values = load_object(file, SETTINGS).get("image_processor", {})
    if not values:
        file = folder / _IMAGES
        values = load_object(file, SETTINGS)
    if not isinstance(values, dict):
        raise UserError(f"{file}: image_processor must be a JSON object; get it again.")
    return parse_config(values, keys, str(file)).model_dump(exclude_unset=True)
