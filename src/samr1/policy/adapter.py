"""Adapters of low rank (LoRA) in a policy: put in, switched off, merged into its weights.

`peft` puts them into the model itself, which stays the `transformers` class that it was, so that
rollout, packing and gradient checkpointing go through them without knowing. There is no dropout:
the rollout and the update must mean one distribution.

Adapters have the policy's own dtype, as all weights of a forward pass do. In bfloat16 DeepSpeed
keeps their masters and moments in float32, so that updates of 1e-6 add up; the second matrix starts
at 0, near which bfloat16's steps are as small as its values. Adapters in float32 would make float32
of each adapted layer's inputs, which is memory, and DeepSpeed casts a model to one dtype anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import torch
from torch import Tensor, nn

from samr1.config.schema import LoraConfig, VisionLayer
from samr1.core.errors import UserError, say
from samr1.policy.families import QwenModel

_BASE, _OWN = ".base_layer.", ".lora_"  # in the names of an adapted layer's weights
_MOST = 0.9  # of the adapters' change: what merging must keep to go without saying


def add_adapter(model: QwenModel, config: LoraConfig, vision: bool, seed: int) -> None:
    """Put adapters into `model` and let them alone have gradients.

    Into the language model's layers that `config` names and, with `vision`, into those of the
    vision tower's blocks. They change nothing yet: their product is 0. What is drawn depends on
    `seed` alone.
    """
    import peft  # seconds, and most trainings have none

    adapters = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type]
        lora_dropout=0.0,
        target_modules=adapted_layers(model, config, vision),
    )
    with torch.random.fork_rng(devices=[]):  # `peft` draws them on the CPU
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(adapters, model)


def adapted_layers(model: QwenModel, config: LoraConfig, vision: bool) -> list[str]:
    """The names in `model` of the linear layers that `config` names.

    Raises UserError where its family has none of a name, or the vision tower none of any.
    """
    parts = {"model.language_model.layers": set(config.targets) - set(get_args(VisionLayer))}
    if vision:
        parts["model.visual.blocks"] = set(config.targets)
    found = [
        f"{part}.{name}"
        for part, wanted in parts.items()
        for name, layer in model.get_submodule(part).named_modules()
        if isinstance(layer, nn.Linear) and name.rpartition(".")[2] in wanted
    ]
    kind, there = model.config.model_type, {name.rpartition(".")[2] for name in found}
    if idle := sorted(set().union(*parts.values()) - there):
        raise UserError(f"train.lora.targets: a {kind} has no layer {idle[0]}; leave it out.")
    if vision and not any(name.startswith("model.visual.") for name in found):
        raise UserError(
            f"train.lora.targets: no layer of a {kind}'s vision tower has one of these names; add "
            "one, or set policy.train_vision: false."
        )
    return found


@contextmanager
def adapter_off(model: QwenModel) -> Iterator[None]:
    """While it is open, `model` is what it was before it got adapters, where it has some."""
    layers = _layers(model)
    for _, layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for _, layer in layers:
            layer.enable_adapters(True)


@torch.no_grad()
def merged_weights(model: QwenModel) -> dict[str, Tensor]:
    """The state dict of `model` as an ordinary one, each adapter's product added to its weight.

    The sum is taken in float32 and rounded once, to the weight's dtype; what was adapted is on the
    CPU, because a GPU that held the policy for training need not hold it twice. Where rounding
    takes a good part of what the adapters change, a sentence on stderr says so.
    """
    kept = changed = 0.0
    state = {
        name.replace(_BASE, "."): weight
        for name, weight in model.state_dict().items()
        if _OWN not in name
    }
    for name, layer in _layers(model):
        (adapter,) = layer.active_adapters
        down, up = layer.lora_A[adapter].weight.float(), layer.lora_B[adapter].weight.float()
        weight = state[f"{name}.weight"]
        change = (up @ down).mul_(layer.scaling[adapter])
        merged = (weight.float() + change).to(weight.dtype)
        kept += float(((merged.float() - weight.float()) * change).sum())
        changed += float(change.square().sum())
        state[f"{name}.weight"] = merged.cpu()
    if kept < _MOST * changed:
        say(
            f"merged: of what the adapters change, rounding to {model.dtype} keeps "
            f"{kept / changed:.0%}; a higher train.learning_rate moves them further."
        )
    return state


def _layers(model: nn.Module) -> list[tuple[str, Any]]:
    """The adapted layers of `model` with their names; none before `add_adapter`."""
    named = model.named_modules()
    return [(name, layer) for name, layer in named if hasattr(layer, "lora_A")]
