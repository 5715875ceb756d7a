"""The policy as `transformers` has it: loading, encoding a question, saving.

Frames: the policy sees an image that is already `image_size`×`image_size`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import LongTensor, Tensor
from transformers import PreTrainedTokenizerBase
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.config.names import DialectName, PackedAttention
from samr1.core.errors import UserError, refusing
from samr1.core.files import atomic_folder
from samr1.core.weights import check_finite, safetensors_files, safetensors_shapes
from samr1.policy.adapter import merged_weights
from samr1.policy.attention import attention_name
from samr1.policy.chat import chat_frame
from samr1.policy.dialects import get_dialect
from samr1.policy.families import QwenModel, family_of
from samr1.policy.files import model_folder, weights_alone
from samr1.policy.head import Float32Head
from samr1.policy.meta import build_on_meta, check_weights, read_policy_config
from samr1.policy.processors import STOP_TOKEN, VISION_TOKENS, known_tokens, load_processors
from samr1.policy.vision import prepare_tower


@dataclass(frozen=True)
class Policy:
    """A model of one of the families, with its tokenizer and image processor.

    `blocked_token_ids` are those that it may never say; `stop_token_id` ends its turn.
    """

    model: QwenModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: Qwen2VLImageProcessorPil
    stop_token_id: int
    blocked_token_ids: tuple[int, ...]


@dataclass(frozen=True)
class EncodedPrompt:
    """One encoded prompt, image included.

    `input_ids` [P] int64; `pixel_values` [N, D] float32, the patches; `grid_thw` [1, 3] int64, the
    patch grid; `position_ids` [3, P] int64, the time, height and width of each token.
    """

    input_ids: Tensor
    pixel_values: Tensor
    grid_thw: Tensor
    position_ids: Tensor

    @property
    def response_start(self) -> int:
        """The position id of a response's first token: one past the prompt's largest in 3-D."""
        return int(self.position_ids.max()) + 1


def load_policy(
    path: str | Path,
    dtype: str = "float32",
    device: torch.device | str = "cpu",
    attention: PackedAttention = "flex",
) -> Policy:
    """Load a Qwen-VL of any size from a folder or a hub name, in evaluation mode.

    It may be of any family that `samr1.policy.families` describes.

    The weights are safetensors, mapped from the disk: where the checkpoint has `dtype` already the
    host's memory holds no copy of them, however many processes load it, and else one, in `dtype`.
    Code that comes with a checkpoint is never run. `attention` is how packed rows are attended on
    a GPU.

    Raises UserError when there is no such policy, its weights are no finite numbers or do not fit
    its configuration, or its tokenizer is another's. What does not fit takes no memory.
    """
    folder = model_folder(path)
    config = read_policy_config(folder)
    weights = safetensors_files(folder)
    check_weights(build_on_meta(config, f"{path}"), safetensors_shapes(weights), f"{path}")
    tokenizer, image_processor = load_processors(folder)
    with (
        weights_alone(folder, weights) as stage,
        refusing(f"{path}: cannot be loaded as a policy", "get the checkpoint again"),
    ):
        model: Any = family_of(config).model.from_pretrained(
            stage,
            config=config,
            dtype=getattr(torch, dtype),
            attn_implementation="sdpa",
            use_safetensors=True,
        )
        model.generation_config.validate(strict=True)  # else it could not be saved
    model.config.name_or_path = f"{path}"
    model.to(device=torch.device(device))
    check_finite(model, f"{path}")
    return assemble_policy(model.eval(), tokenizer, image_processor, attention, str(path))


def assemble_policy(
    model: QwenModel,
    tokenizer: PreTrainedTokenizerBase,
    image_processor: Qwen2VLImageProcessorPil,
    attention: PackedAttention = "flex",
    name: str = "policy",
) -> Policy:
    """Join a model to its tokenizer and image processor, and look up the special tokens.

    The language model gets the attention that also takes packed rows and logits in float32, the
    tower its own attention.
    """
    vocabulary = known_tokens(tokenizer, name)
    # Rows of the output layer beyond the vocabulary only round its size; they mean no token.
    meant = set(vocabulary.values())
    rows = range(model.model.language_model.config.vocab_size)
    rounding = [row for row in rows if row not in meant]
    packed = attention_name(attention, model.device)
    model.model.language_model.set_attn_implementation(packed)
    model.lm_head = Float32Head(model.lm_head.weight).train(model.training)
    prepare_tower(model.model.visual)
    return Policy(
        model=model,
        tokenizer=tokenizer,
        image_processor=image_processor,
        stop_token_id=vocabulary[STOP_TOKEN],
        blocked_token_ids=(*sorted(vocabulary[token] for token in VISION_TOKENS), *rounding),
    )


def encode_question(
    policy: Policy, image: Image.Image, query: str, dialect: DialectName
) -> EncodedPrompt:
    """Encode an already resized RGB `image` and `query` as the policy's prompt in `dialect`.

    The tensors are on the CPU. Raises UserError when the image's sides are not whole numbers of
    merged patches, or when its tokens in the prompt differ in number from its merged patches.
    """
    ids = encode_prompt(policy.tokenizer, query, dialect)
    return join_prompt(policy, query, ids, encode_image(policy.image_processor, image))


def join_prompt(
    policy: Policy, query: str, ids: list[int], image: tuple[Tensor, Tensor]
) -> EncodedPrompt:
    """The prompt of `ids`, which `encode_prompt` made of `query`, and of an encoded `image`.

    Raises UserError as `encode_question` does.
    """
    pixel_values, grid_thw = image
    needed = int(grid_thw.prod()) // policy.image_processor.merge_size**2
    image_token: int = policy.model.config.image_token_id
    input_ids = torch.tensor(_expand_image_token(ids, image_token, needed), dtype=torch.int64)
    is_image = (input_ids == image_token).int()
    if (found := int(is_image.sum())) != needed:
        raise UserError(
            f"the prompt for {query!r} holds {found} image tokens and its image {needed} merged "
            "patches; the question must not contain <|image_pad|>, and the chat template one."
        )
    positions, _ = policy.model.model.get_rope_index(
        LongTensor(input_ids[None]), is_image[None], image_grid_thw=grid_thw
    )
    return EncodedPrompt(input_ids, pixel_values, grid_thw, positions[:, 0])


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, query: str, dialect: DialectName
) -> list[int]:
    """The token ids of the whole chat before the response; the image is one token yet."""
    form = get_dialect(dialect)
    before, middle, after = chat_frame(tokenizer, "the policy", system=form.system is not None)
    text = f"{before}{form.system or ''}{middle}{form.ask(query)}{after}"
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def encode_image(processor: Qwen2VLImageProcessorPil, image: Image.Image) -> tuple[Tensor, Tensor]:
    """Cut an RGB image into normalised patches: [N, D] float32 and the grid [1, 3] int64."""
    unit = processor.patch_size * processor.merge_size
    if image.width % unit or image.height % unit:
        raise UserError(
            f"an image of {image.width}×{image.height} pixels does not fit the policy's patches; "
            f"set policy.image_size to a multiple of {unit}."
        )
    # The size is already right: `resize_images` saw to it, once for all runs.
    encoded = processor(images=[image], do_resize=False, return_tensors="pt")
    return encoded["pixel_values"].float(), encoded["image_grid_thw"]


def _expand_image_token(ids: list[int], image_token_id: int, count: int) -> list[int]:
    """Write the template's one image token `count` times, where it stands first."""
    if image_token_id not in ids:
        return ids
    first = ids.index(image_token_id)
    return ids[:first] + [image_token_id] * count + ids[first + 1 :]


def save_policy(
    policy: Policy,
    folder: Path,
    beside: Mapping[str, str] | None = None,
    maker: str = "save_policy",
) -> None:
    """Write the policy as an ordinary `transformers` folder, whole or not at all.

    Adapters are merged into the weights. `beside` are texts that lie there too, by file name. Only
    the command `maker` will replace the folder.
    """
    with atomic_folder(folder, maker) as temporary:
        policy.model.save_pretrained(temporary, state_dict=merged_weights(policy.model))
        policy.tokenizer.save_pretrained(temporary)
        policy.image_processor.save_pretrained(temporary)
        for name, text in (beside or {}).items():
            (temporary / name).write_text(text, encoding="utf-8")
