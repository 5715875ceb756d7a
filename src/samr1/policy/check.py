"""Whether a policy is whole and fits its run, looked at step by step before it is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

from PIL import Image

from samr1.config.names import DialectName
from samr1.config.schema import PolicyConfig
from samr1.core.checks import Step
from samr1.core.weights import safetensors_files, safetensors_shapes
from samr1.policy.dialects import get_dialect
from samr1.policy.families import QwenConfig, family_of
from samr1.policy.files import model_folder
from samr1.policy.meta import build_on_meta, check_weights, read_policy_config
from samr1.policy.model import encode_image, encode_prompt
from samr1.policy.processors import load_processors


def check_policy(config: PolicyConfig, dialect: DialectName) -> Iterator[Step]:
    """The steps from "is it there" to its image's patches.

    A hub name is downloaded by the first of them, once, before many processes ask for it.
    """
    folder = cache(partial(model_folder, config.path))

    def files() -> str:
        weights = safetensors_files(folder())
        size = sum(file.stat().st_size for file in weights)
        return f"weights of {size / 1e9:.3f} GB, files: {len(weights)}, in {folder()}"

    def architecture() -> str:
        model = build_on_meta(read_policy_config(folder()), f"{folder()}")
        count = sum(weight.numel() for weight in model.parameters())
        visual = sum(weight.numel() for weight in model.model.visual.parameters())
        return f"{count:,} parameters, {visual:,} of them visual; {_frames(model.config, dialect)}"

    def weights() -> str:
        model = build_on_meta(read_policy_config(folder()), f"{folder()}")
        found = safetensors_shapes(safetensors_files(folder()))
        check_weights(model, found, f"{folder()}")
        return f"{len(found)} names and shapes as the model has them"

    def tokenizer() -> str:
        loaded, _ = load_processors(folder())
        ids = encode_prompt(loaded, "ball", dialect)
        return f"{len(loaded)} tokens; a prompt of {len(ids)} with its image as one"

    def image() -> str:
        _, processor = load_processors(folder())
        _, grid = encode_image(processor, Image.new("RGB", (config.image_size, config.image_size)))
        _, rows, columns = grid[0].tolist()
        return f"{config.image_size} pixels a side are {rows}×{columns} patches"

    yield "policy: files", files
    yield "policy: configuration", architecture
    yield "policy: weights", weights
    yield "policy: tokenizer", tokenizer
    yield "policy: image size", image


def _frames(config: QwenConfig, dialect: DialectName) -> str:
    """What the base was taught to count coordinates in, and what the dialect asks for.

    They may differ: a training teaches the other, and a base asked for it is far off.
    """
    taught, asked = (
        "in pixels" if (side := get_dialect(name).relative) is None else f"on 0 to {side}"
        for name in (family_of(config).dialect, dialect)
    )
    return f"its family gives coordinates {taught}, and {dialect} asks for them {asked}"
