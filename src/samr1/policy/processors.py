"""A policy's tokenizer and image processor: reading them, and whether they belong to its model.

They are loaded apart, never as the joint processor, whose video part needs torchvision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer, TokenizersBackend
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from samr1.core.errors import UserError, refusing
from samr1.policy.chat import IMAGE_TOKEN, chat_frame
from samr1.policy.families import QwenConfig
from samr1.policy.files import model_folder, processors_alone
from samr1.policy.meta import read_policy_config
from samr1.policy.schema import ImageKeys, TokenizerKeys
from samr1.policy.tokenizer import TokenizerKind, load_tokenizer

# Tokens that stand for an image or a video, or open and close one. A response that held one would
# be taken for another image by the next forward pass, so they are suppressed in sampling and, for
# one and the same distribution, in the log-probabilities.
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", IMAGE_TOKEN, "<|video_pad|>")
STOP_TOKEN = "<|im_end|>"

MICRO_WORDS = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
"""How the tiny policy's tokenizer cuts a text into words."""

_IDS = {
    "<|vision_start|>": "vision_start_token_id",
    "<|vision_end|>": "vision_end_token_id",
    IMAGE_TOKEN: "image_token_id",
    "<|video_pad|>": "video_token_id",
}
_KIND = TokenizerKind(
    of="a Qwen2.5-VL's",
    classes={
        "Qwen2Tokenizer": Qwen2Tokenizer,
        "Qwen2TokenizerFast": Qwen2Tokenizer,
        "PreTrainedTokenizerFast": TokenizersBackend,
        "TokenizersBackend": TokenizersBackend,
    },
    model="BPE",
    without=frozenset(
        {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}
    ),
    steps={
        "normalizer": (set(), {"NFC"}),
        "pre_tokenizer": ({"ByteLevel"}, {"ByteLevel", "Split"}),
        "post_processor": (set(), {"ByteLevel", "TemplateProcessing"}),
        "decoder": ({"ByteLevel"}, {"ByteLevel"}),
    },
    words=frozenset({PRETOKENIZE_REGEX, MICRO_WORDS}),
)


def load_processors(
    path: str | Path,
) -> tuple[PreTrainedTokenizerBase, Qwen2VLImageProcessorPil]:
    """The tokenizer and the image processor of the policy at `path`.

    Raises UserError where one of them cannot be read, or does not belong to the policy's model.
    """
    folder = model_folder(path)
    config = read_policy_config(folder)
    with processors_alone(folder, TokenizerKeys, ImageKeys) as stage:
        tokenizer = load_tokenizer(folder, stage, _KIND, f"{path}")
        with refusing(f"{path}: its image processor cannot be loaded", "get its files again"):
            image_processor = Qwen2VLImageProcessorPil.from_pretrained(stage)
    _check_tokenizer(tokenizer, config, f"{path}")
    _check_patches(image_processor, config, f"{path}")
    return tokenizer, image_processor


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase, config: QwenConfig, where: str) -> None:
    """Raise UserError where the tokenizer is not of the model of `config`, or has no chat."""
    vocabulary = known_tokens(tokenizer, where)
    text: Any = config.text_config
    size = text.vocab_size
    if (largest := max(vocabulary.values())) >= size:
        raise UserError(
            f"{where}: its tokenizer has a token {largest}, and its model only {size}; get the "
            "tokenizer that belongs to it."
        )
    for token, key in _IDS.items():
        if vocabulary[token] != (said := getattr(config, key)):
            raise UserError(
                f"{where}: {token} is token {vocabulary[token]} of its tokenizer, and {key} in "
                f"config.json is {said}; get the tokenizer that belongs to it."
            )
    ends = text.eos_token_id if isinstance(text.eos_token_id, list) else [text.eos_token_id]
    if not {None, vocabulary[STOP_TOKEN]}.intersection(ends):
        raise UserError(
            f"{where}: {STOP_TOKEN}, which ends a turn, is token {vocabulary[STOP_TOKEN]} of its "
            f"tokenizer, and eos_token_id in config.json is {text.eos_token_id}; use a policy that "
            "is made for chat (-Instruct), with the tokenizer that belongs to it."
        )
    chat_frame(tokenizer, where)


def _check_patches(processor: Qwen2VLImageProcessorPil, config: QwenConfig, where: str) -> None:
    """Raise UserError unless images are cut into the patches that the model takes."""
    vision: Any = config.vision_config
    ours = (processor.patch_size, processor.temporal_patch_size, processor.merge_size)
    model = (vision.patch_size, vision.temporal_patch_size, vision.spatial_merge_size)
    if ours != model:
        raise UserError(
            f"{where}: its preprocessor_config.json has patch, temporal and merge sizes {ours}, "
            f"and its config.json {model}; get the files of one checkpoint."
        )


def known_tokens(tokenizer: PreTrainedTokenizerBase, name: str) -> dict[str, int]:
    """The tokenizer's vocabulary; raises UserError where it lacks a token that is needed."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    needed = (*VISION_TOKENS, STOP_TOKEN, *ByteLevel.alphabet())
    missing = [token for token in needed if token not in vocabulary]
    if missing:
        raise UserError(f"{name}: its tokenizer lacks the token {missing[0]}; use a Qwen2.5-VL's.")
    return vocabulary
