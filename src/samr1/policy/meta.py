"""A policy without its weights: its configuration, and its model on torch's meta device.

Tensors there have shapes and no data: the 7B is built in less than a second and in no memory.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from samr1.config.schema import parse_config
from samr1.core.errors import UserError, refusing
from samr1.core.hub import HubName, fetch_file, require
from samr1.core.reading import load_object
from samr1.core.weights import Shape, Shapes, find_mismatch, tensor_shapes
from samr1.policy.families import FAMILIES, QwenConfig, QwenModel, family_of
from samr1.policy.files import SETTINGS
from samr1.policy.schema import PolicyKeys
from samr1.policy.vision import place_patches


def read_policy_config(path: str | Path) -> QwenConfig:
    """The configuration of the policy at `path`: a folder, or a hub name with its revision.

    Raises UserError where there is none, or it is of a family that is not known here.
    """
    place = require(path)
    if isinstance(place, Path) and not place.is_dir():
        raise UserError(f"{path}: no such folder; name one that a policy was saved in.")
    file = fetch_file(place, "config.json") if isinstance(place, HubName) else place / "config.json"
    if not file.is_file():
        raise UserError(f"{path}: holds no config.json; name a folder that a policy was saved in.")
    values = load_object(file, SETTINGS)
    kind = values.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise UserError(
            f"{path}: is a model of type {kind!r}; name one of type {' or '.join(FAMILIES)}."
        )
    known = parse_config(values, PolicyKeys, str(file)).model_dump(exclude_unset=True)
    with refusing(f"{file}: is refused", "get the original again"):
        return FAMILIES[kind].config.from_dict(known)


def build_on_meta(config: QwenConfig, where: str = "config.json") -> QwenModel:
    """The model of `config` with shapes and no data; raises UserError where there is none."""
    own: Any = copy.deepcopy(config)
    own._attn_implementation = "sdpa"  # a policy in use has names there that are no library's
    refused = refusing(f"{where}: no model can be built of it", "get the original again")
    with refused, torch.device("meta"):
        return family_of(config).model(own)


def check_weights(model: QwenModel, found: Mapping[str, Shape], where: str) -> None:
    """Raise UserError unless `model`, on the meta device, can be given `found` and be run.

    What is missing the library would draw at random, and say in a warning alone. One layer of each
    kind is run on four tokens and an image of four, without data, so that sizes in its
    configuration that do not go together show before there are weights.
    """
    if mismatch := find_mismatch(needed_shapes(model), name_as_model(model, found)):
        raise UserError(f"{where}: the weights do not fit config.json: {mismatch}; get it again.")
    shallow: Any = copy.deepcopy(model.config)
    shallow.text_config.num_hidden_layers = shallow.vision_config.depth = 1
    if hasattr(shallow.text_config, "layer_types"):
        shallow.text_config.layer_types = ["full_attention"]
    if getattr(shallow.vision_config, "deepstack_visual_indexes", None):
        shallow.vision_config.deepstack_visual_indexes = [0]
    with refusing(f"{where}: no model of its config.json can be run", "get the original again"):
        _run(build_on_meta(shallow))


@torch.no_grad()
def _run(model: QwenModel) -> None:
    vision: Any = model.config.vision_config
    side = 2 * vision.spatial_merge_size
    pixels = torch.empty(
        side**2, 3 * vision.temporal_patch_size * vision.patch_size**2, device="meta"
    )
    grid, tower = torch.tensor([[1, side, side]]), model.model.visual
    seen = tower(pixels, grid_thw=grid, **place_patches(tower, grid))
    # [1, 4, H], each as wide as the language model's own; the others are added to it.
    states = sum(getattr(seen, "deepstack_features", ()), seen.pooler_output)[None]
    places = torch.zeros(3, 1, 4, dtype=torch.int64, device="meta")
    answer = model.model.language_model(inputs_embeds=states, position_ids=places, use_cache=False)
    model.lm_head(answer.last_hidden_state)


def count_weights(config: QwenConfig) -> int:
    """The numbers of its model's weights, each once."""
    return sum(weight.numel() for weight in build_on_meta(config).parameters())


def needed_shapes(model: QwenModel) -> Shapes:
    """The names and shapes that a checkpoint must bring, under the model's own names.

    Weights that are tied to another come with it.
    """
    shapes = tensor_shapes(model.state_dict())
    return {key: shape for key, shape in shapes.items() if key not in model.all_tied_weights_keys}


def name_as_model(model: QwenModel, found: Mapping[str, Shape]) -> Shapes:
    """A checkpoint's names as the model's, by the renamings that `from_pretrained` applies.

    The published checkpoints say `visual.…` and `model.layers.…` where the model has
    `model.visual.…` and `model.language_model.layers.…`. A copy of a tied weight is left out, as it
    is in loading. Names that the model does not have stay what they come to.
    """
    transforms = get_model_conversion_mapping(model)
    renamings = [one for one in transforms if isinstance(one, WeightRenaming)]
    converters = [one for one in transforms if isinstance(one, WeightConverter)]
    own = model.state_dict()
    prefix = model.base_model_prefix
    named: Shapes = {}
    for key, shape in found.items():
        new, _ = rename_source_key(key, renamings, converters, prefix, own)
        if new not in own and key in own:
            new = key
        if new not in model.all_tied_weights_keys:
            named[new] = tuple(shape)
    return named
