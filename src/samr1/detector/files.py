"""The files of a Grounding DINO: what they may say, and whether the weights are of that model.

As a policy's (`samr1.policy.files`), but for its configuration, which has a hundred keys: they are
the fields of the library's three classes, and their numbers are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    PreTrainedConfig,
    SwinConfig,
    TokenizersBackend,
)

from samr1.core.errors import UserError, refusing
from samr1.core.reading import load_object
from samr1.core.weights import find_mismatch, safetensors_shapes
from samr1.policy.files import SETTINGS
from samr1.policy.meta import name_as_model, needed_shapes
from samr1.policy.schema import NOT_GIVEN, AnyImageKeys, Keys, TokenizerKeys
from samr1.policy.tokenizer import TokenizerKind

_CLASSES: dict[str, type[PreTrainedConfig]] = {
    "grounding-dino": GroundingDinoConfig,
    "swin": SwinConfig,
    "bert": BertConfig,
}
_PARTS = {"backbone_config": "swin", "text_config": "bert"}
_OWN = {"model_type", "out_features", "out_indices"}  # beside the fields of a class
# Labels, of which a number makes a million, and a name that is looked up in torch.
_LEFT_OUT = {"id2label", "label2id", "problem_type", "dtype"}
_MOST, _MOST_LAYERS = 2**20, 64

TOKENIZER = TokenizerKind(
    of="a Grounding DINO's",
    classes={
        "BertTokenizer": BertTokenizer,
        "BertTokenizerFast": BertTokenizer,
        "PreTrainedTokenizerFast": TokenizersBackend,
        "TokenizersBackend": TokenizersBackend,
    },
    model="WordPiece",
    without=frozenset(),
    steps={
        "normalizer": (set(), {"BertNormalizer"}),
        "pre_tokenizer": ({"BertPreTokenizer"}, {"BertPreTokenizer"}),
        "post_processor": (set(), {"BertProcessing", "TemplateProcessing"}),
        "decoder": (set(), {"WordPiece"}),
    },
    adds=True,
)


class DetectorTokenizerKeys(TokenizerKeys):
    do_lower_case: bool = NOT_GIVEN
    cls_token: str | dict[str, Any] = NOT_GIVEN
    sep_token: str | dict[str, Any] = NOT_GIVEN
    mask_token: str | dict[str, Any] | None = NOT_GIVEN
    strip_accents: bool | None = NOT_GIVEN
    tokenize_chinese_chars: bool = NOT_GIVEN


_Side = Annotated[int, Field(ge=1, le=4096)]


class DetectorSizeKeys(Keys):
    """Sides in pixels to which an image is brought."""

    shortest_edge: _Side = NOT_GIVEN
    longest_edge: _Side = NOT_GIVEN
    height: _Side = NOT_GIVEN
    width: _Side = NOT_GIVEN


class DetectorImageKeys(AnyImageKeys):
    size: DetectorSizeKeys = NOT_GIVEN
    do_pad: bool = NOT_GIVEN
    format: str = NOT_GIVEN


def read_detector_config(folder: Path) -> GroundingDinoConfig:
    """The configuration in `folder`; raises UserError where it is of no Grounding DINO."""
    file = folder / "config.json"
    values = _known(load_object(file, SETTINGS), "grounding-dino", str(file))
    for part, kind in _PARTS.items():
        values[part] = _known(values.get(part), kind, f"{file}: {part}")
    with refusing(f"{file}: is refused", "get the original again"):
        return GroundingDinoConfig.from_dict(values)


def _known(values: object, kind: str, where: str) -> dict[str, Any]:
    """The values that a configuration of `kind` has fields for."""
    if not isinstance(values, dict) or values.get("model_type") != kind:
        raise UserError(f"{where}: must be of model_type {kind}; get the original again.")
    keys = {field.name for field in fields(_CLASSES[kind])} - _LEFT_OUT
    known = {key: values[key] for key in sorted(keys | _OWN) if key in values}
    for key, value in known.items():
        most = _MOST_LAYERS if "layers" in key or key == "depths" else _MOST
        if key not in _PARTS and any(abs(number) > most for number in _numbers(value)):
            raise UserError(f"{where}: {key} must be at most {most}; get the original again.")
    return known


def _numbers(value: object) -> Iterator[float]:
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float):
        yield value


def check_detector_weights(config: GroundingDinoConfig, files: list[Path], where: str) -> None:
    """Raise UserError unless the weights in `files` have all names and shapes of the model."""
    refused = refusing(f"{where}: no Grounding DINO can be built", "get the original again")
    with refused, torch.device("meta"):
        model: Any = GroundingDinoForObjectDetection(config)
    weights = {name for name, _ in model.named_parameters()}  # and not the indices of windows
    needed = {name: shape for name, shape in needed_shapes(model).items() if name in weights}
    found = name_as_model(model, safetensors_shapes(files, integers=True))
    # What is not of the model is left unread, as the library leaves it.
    if mismatch := find_mismatch(needed, {key: found[key] for key in needed if key in found}):
        raise UserError(
            f"{where}: the weights do not fit config.json: {mismatch}; get the checkpoint again."
        )
