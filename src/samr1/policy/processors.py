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
from samr1.core.files import read_json
from samr1.policy.chat import IMAGE_TOKEN, chat_frame
from samr1.policy.files import SETTINGS, policy_folder, processors_alone, read_pipeline
from samr1.policy.meta import QwenConfig, read_policy_config

# Tokens that stand for an image or a video, or open and close one. A response that held one would
# be taken for another image by the next forward pass, so they are suppressed in sampling and, for
# one and the same distribution, in the log-probabilities.
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", IMAGE_TOKEN, "<|video_pad|>")
STOP_TOKEN, END_TOKEN = "<|im_end|>", "<|endoftext|>"

MICRO_WORDS = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
"""How the tiny policy's tokenizer cuts a text into words."""

_CLASSES = {
    "Qwen2Tokenizer": Qwen2Tokenizer,
    "Qwen2TokenizerFast": Qwen2Tokenizer,
    "PreTrainedTokenizerFast": TokenizersBackend,
    "TokenizersBackend": TokenizersBackend,
}
_WORDS = {PRETOKENIZE_REGEX, MICRO_WORDS}
_IDS = {
    "<|vision_start|>": "vision_start_token_id",
    "<|vision_end|>": "vision_end_token_id",
    IMAGE_TOKEN: "image_token_id",
    "<|video_pad|>": "video_token_id",
}
# What a tokenizer.json must and may do to a text. Rules of its own for replacing could grow without
# end, and patterns of its own take as long as they like.
_STEPS: dict[str, tuple[set[str], set[str]]] = {
    "normalizer": (set(), {"NFC"}),
    "pre_tokenizer": ({"ByteLevel"}, {"ByteLevel", "Split"}),
    "post_processor": (set(), {"ByteLevel", "TemplateProcessing"}),
    "decoder": ({"ByteLevel"}, {"ByteLevel"}),
}
_UNUSUAL = {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}


def load_processors(
    path: str | Path,
) -> tuple[PreTrainedTokenizerBase, Qwen2VLImageProcessorPil]:
    """The tokenizer and the image processor of the policy at `path`.

    Raises UserError where one of them cannot be read, or does not belong to the policy's model.
    """
    folder = policy_folder(path)
    config = read_policy_config(folder)
    _check_pipeline(read_pipeline(folder), f"{path}")
    with processors_alone(folder) as stage:
        tokenizer = _load_tokenizer(stage, f"{path}")
        with refusing(f"{path}: its image processor cannot be loaded", "get its files again"):
            image_processor = Qwen2VLImageProcessorPil.from_pretrained(stage)
    _check_tokenizer(tokenizer, config, f"{path}")
    _check_patches(image_processor, config, f"{path}")
    return tokenizer, image_processor


def _load_tokenizer(stage: Path, where: str) -> PreTrainedTokenizerBase:
    name = read_json(stage / "tokenizer_config.json", SETTINGS).get("tokenizer_class")
    cls = _CLASSES.get(name or "Qwen2Tokenizer") if isinstance(name, str | None) else None
    if cls is None:
        raise UserError(f"{where}: its tokenizer is a {name!r}; use a Qwen2.5-VL's.")
    with refusing(f"{where}: its tokenizer cannot be loaded", "get its files again"):
        tokenizer: PreTrainedTokenizerBase = cls.from_pretrained(stage)
    # Where it came from and whether there was a network: it would be saved with it.
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    return tokenizer


def _check_pipeline(values: dict[str, Any] | None, where: str) -> None:
    """Raise UserError unless a tokenizer.json does to a text what a Qwen's does."""
    if values is None:
        return
    for part, (needed, allowed) in _STEPS.items():
        steps = _flat(values.get(part))
        kinds = {step.get("type") for step in steps}
        if not needed <= kinds <= allowed or not all(map(_is_plain, steps)):
            raise UserError(
                f"{where}: the {part} of its tokenizer.json is none of a Qwen2.5-VL's; use one."
            )
    model = values.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE" or _UNUSUAL & _set(model):
        raise UserError(f"{where}: its tokenizer.json is no plain BPE's; use a Qwen2.5-VL's.")
    if _set(values) & {"truncation", "padding"}:
        raise UserError(f"{where}: its tokenizer.json cuts or pads; use a Qwen2.5-VL's.")


def _set(values: dict[str, Any]) -> set[str]:
    return {key for key, value in values.items() if value}


def _is_plain(step: dict[str, Any]) -> bool:
    pattern_known = step.get("pattern") in [{"Regex": words} for words in _WORDS]
    return (step["type"] != "Split" or pattern_known) and not step.get("special_tokens")


def _flat(step: object) -> list[dict[str, Any]]:
    """The steps of a sequence of steps, or the one; what is no step has the type None."""
    steps = [] if step is None else [step]
    if isinstance(step, dict) and step.get("type") == "Sequence":
        steps = [one for value in step.values() if isinstance(value, list) for one in value]
    known = [one if isinstance(one, dict) else {} for one in steps]
    return [one if isinstance(one.get("type"), str) else {"type": None} for one in known]


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
    if not {None, vocabulary[STOP_TOKEN], vocabulary.get(END_TOKEN)}.intersection(ends):
        raise UserError(
            f"{where}: {STOP_TOKEN} is token {vocabulary[STOP_TOKEN]} of its tokenizer, and "
            f"eos_token_id in config.json is {text.eos_token_id}; get the tokenizer that belongs "
            "to it."
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
