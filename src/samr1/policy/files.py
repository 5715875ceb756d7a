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
from samr1.core.errors import UserError
from samr1.core.files import read_json, read_text
from samr1.core.hub import HubName, fetch_folder, require
from samr1.policy.schema import ImageKeys

# All that loading reads; the hub's other formats of the same weights are left there.
PATTERNS = ["*.json", "*.jinja", "*.txt", "*.safetensors"]
SETTINGS = 2**20  # bytes at most of a file of settings; the published ones have a few thousand
_VOCABULARY = 2**24  # bytes at most; Qwen's tokenizer.json has 11 million
_GENERATION, _IMAGES = "generation_config.json", "preprocessor_config.json"
_TOKENIZER, _PIPELINE = "tokenizer_config.json", "tokenizer.json"
_VOCABULARIES = (_PIPELINE, "vocab.json", "merges.txt", "added_tokens.json")

_GENERATION_KEYS = {
    "_from_model_config", "bos_token_id", "do_sample", "eos_token_id", "output_attentions",
    "output_hidden_states", "pad_token_id", "repetition_penalty", "temperature", "top_k", "top_p",
    "transformers_version", "use_cache",
}  # fmt: skip
_TOKENIZER_KEYS = {
    "add_bos_token", "add_eos_token", "add_prefix_space", "added_tokens_decoder",
    "additional_special_tokens", "backend", "bos_token", "clean_up_tokenization_spaces",
    "eos_token", "errors", "extra_special_tokens", "model_max_length", "pad_token", "padding_side",
    "processor_class", "split_special_tokens", "tokenizer_class", "truncation_side", "unk_token",
}  # fmt: skip


def policy_folder(path: str | Path) -> Path:
    """The folder of the policy at `path`, downloaded where it is a hub name."""
    place = require(path)
    return fetch_folder(place, PATTERNS) if isinstance(place, HubName) else place


@contextmanager
def weights_alone(folder: Path, weights: Iterable[Path]) -> Iterator[Path]:
    """A temporary folder with the `weights` of `folder` and its generation_config.json, if any."""
    with TemporaryDirectory(prefix="samr1-") as name:
        stage, files = Path(name), list(weights)
        for file in files:
            (stage / file.name).symlink_to(file.resolve())
        if [file.name for file in files] != ["model.safetensors"]:
            places = {str(i): file.name for i, file in enumerate(files)}
            _write(stage / "model.safetensors.index.json", {"metadata": {}, "weight_map": places})
        if (folder / _GENERATION).is_file():
            values = read_json(folder / _GENERATION, SETTINGS)
            _write(stage / _GENERATION, _only(values, _GENERATION_KEYS))
        yield stage


@contextmanager
def processors_alone(folder: Path) -> Iterator[Path]:
    """A temporary folder with the files of the tokenizer and the image processor of `folder`.

    Raises UserError where one cannot be read, or is none of a Qwen-VL's.
    """
    with TemporaryDirectory(prefix="samr1-") as name:
        stage = Path(name)
        for file in (folder / one for one in _VOCABULARIES):
            if file.is_file():
                if file.stat().st_size > _VOCABULARY:
                    raise UserError(f"{file}: has more than {_VOCABULARY:,} bytes; get it again.")
                (stage / file.name).symlink_to(file.resolve())
        settings = _settings(folder / _TOKENIZER)
        _write(stage / _TOKENIZER, _only(settings, _TOKENIZER_KEYS))
        if template := _template(folder, settings):
            (stage / "chat_template.jinja").write_text(template, encoding="utf-8")
        _write(stage / _IMAGES, _image_settings(folder))
        yield stage


def read_pipeline(folder: Path) -> dict[str, Any] | None:
    """The content of the tokenizer.json of `folder`; None where it has none."""
    file = folder / _PIPELINE
    return read_json(file, _VOCABULARY) if file.is_file() else None


def _settings(file: Path) -> dict[str, Any]:
    return read_json(file, SETTINGS) if file.is_file() else {}


def _only(values: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in keys}


def _write(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values), encoding="utf-8")


def _template(folder: Path, settings: dict[str, Any]) -> str | None:
    """The chat template: of a file of its own, or as the tokenizer or the processor keeps it."""
    own, of_processor = folder / "chat_template.jinja", folder / "chat_template.json"
    if own.is_file():
        return read_text(own, SETTINGS)
    template = settings.get("chat_template") or _settings(of_processor).get("chat_template")
    if isinstance(template, list):  # several by name
        named = [one for one in template if isinstance(one, dict) and one.get("name") == "default"]
        template = named[0].get("template") if named else None
    if template is not None and not isinstance(template, str):
        raise UserError(f"{folder}: its chat template is no text; get all its files again.")
    return template


def _image_settings(folder: Path) -> dict[str, Any]:
    """The settings of the image processor, of its own file or of the whole processor's."""
    file, values = folder / "processor_config.json", {}
    if file.is_file():
        values = read_json(file, SETTINGS).get("image_processor", {})
    if not values:
        file = folder / _IMAGES
        values = read_json(file, SETTINGS)
    if not isinstance(values, dict):
        raise UserError(f"{file}: image_processor must be a JSON object; get it again.")
    return parse_config(values, ImageKeys, str(file)).model_dump(exclude_unset=True)
