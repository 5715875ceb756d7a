"""Whether a policy can be trained, looked at step by step, the cheap steps first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from samr1.config.names import Dialect
from samr1.config.schema import PolicyConfig
from samr1.core.checks import Step
from samr1.core.errors import UserError
from samr1.core.weights import safetensors_files, safetensors_shapes
from samr1.policy.files import model_folder
from samr1.policy.meta import build_on_meta, check_weights, read_policy_config
from samr1.policy.model import encode_image, encode_prompt, encode_question, load_policy
from samr1.policy.processors import load_processors

CROP = 56  # pixels a side of the image of the forward pass: a few patches of any Qwen2.5-VL


def check_policy(config: PolicyConfig, dialect: Dialect, device: str) -> Iterator[Step]:
    """The steps from "is it there" to a forward pass on `device`.

    A hub name is downloaded by the first of them, once, before many processes ask for it.
    """
    folders: list[Path] = []

    def files() -> str:
        folder = model_folder(config.path)
        weights = safetensors_files(folder)
        folders.append(folder)
        size = sum(file.stat().st_size for file in weights)
        return f"weights of {size / 1e9:.3f} GB, files: {len(weights)}, in {folder}"

    yield "policy: files", files
    yield from _look(folders[0], config, dialect, device)


def _look(folder: Path, config: PolicyConfig, dialect: Dialect, device: str) -> Iterator[Step]:
    def architecture() -> str:
        model = build_on_meta(read_policy_config(folder), f"{folder}")
        count = sum(weight.numel() for weight in model.parameters())
        visual = sum(weight.numel() for weight in model.model.visual.parameters())
        return f"{count:,} parameters, {visual:,} of them visual"

    def weights() -> str:
        model = build_on_meta(read_policy_config(folder), f"{folder}")
        found = safetensors_shapes(safetensors_files(folder))
        check_weights(model, found, f"{folder}")
        return f"{len(found)} names and shapes as the model has them"

    def tokenizer() -> str:
        loaded, _ = load_processors(folder)
        ids = encode_prompt(loaded, "ball", dialect)
        return f"{len(loaded)} tokens; a prompt of {len(ids)} with its image as one"

    def image() -> str:
        _, processor = load_processors(folder)
        _, grid = encode_image(processor, Image.new("RGB", (config.image_size, config.image_size)))
        _, rows, columns = grid[0].tolist()
        return f"{config.image_size} pixels a side are {rows}×{columns} patches"

    def forward() -> str:
        try:
            tokens, logits = _answer(folder, config, dialect, device)
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"{folder}: does not fit into the memory of one device ({device}) in "
                f"{config.dtype}; name a smaller policy."
            ) from error
        if not bool(logits.isfinite().all()):
            raise UserError(
                f"{folder}: answers with numbers that are not finite in {config.dtype}; get the "
                "weights again."
            )
        return f"{tokens} tokens and an image, in {config.dtype} on {device}: finite"

    yield "policy: configuration", architecture
    yield "policy: weights", weights
    yield "policy: tokenizer", tokenizer
    yield "policy: image size", image
    yield "policy: forward pass", forward


def _answer(
    folder: Path, config: PolicyConfig, dialect: Dialect, device: str
) -> tuple[int, Tensor]:
    """How many tokens a small question has, and the logits [1, 1, V] after the last."""
    policy = load_policy(folder, config.dtype, device)
    question = encode_question(policy, Image.new("RGB", (CROP, CROP)), "ball", dialect)
    ids = question.input_ids[None].to(device)
    with torch.no_grad():
        output = policy.model(
            input_ids=ids,
            mm_token_type_ids=(ids == policy.image_token_id).int(),
            pixel_values=question.pixel_values.to(device),
            image_grid_thw=question.grid_thw.to(device),
            logits_to_keep=1,
        )
    return ids.shape[1], output.logits
