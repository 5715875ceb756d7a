"""What the files of settings of a policy may say.

`transformers` makes an attribute of every key that it finds, and some of them name files, labels by
the billion, or code. Here each key that a Qwen-VL has is written down with what it may be; whatever
else stands in the file is not handed on.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from samr1.config.schema import Frozen


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return value


def _no_quantization(value: object) -> None:
    if value is not None:
        raise ValueError("cannot be read; use a checkpoint that is not quantized")


Count = Annotated[int, Field(ge=1, le=2**20)]  # widths, heads, tokens
Depth = Annotated[int, Field(ge=1, le=1024)]  # layers
Layer = Annotated[int, Field(ge=0, lt=1024)]
Small = Annotated[int, Field(ge=1, le=64)]  # patches, pixels
Token = Annotated[int, Field(ge=0, le=2**20)]
Real = Annotated[Any, AfterValidator(_number)]  # an integer stays one, in what is saved as well
Share = Annotated[Real, Field(ge=0, lt=1)]
Mean = Annotated[Real, Field(ge=-10, le=10)]
Deviation = Annotated[Real, Field(ge=0.001, le=1000)]
Activation = Literal["silu", "gelu", "quick_gelu", "relu", "gelu_pytorch_tanh"]
NOT_GIVEN: Any = None  # the library's own default holds


class Keys(Frozen):
    """Settings of one file; what is not written down here is left out."""

    model_config = ConfigDict(extra="ignore", strict=True)


class RopeKeys(Keys):
    """Rotary positions; those that are stretched beyond the training's length are not read."""

    type: Literal["default", "mrope"] = NOT_GIVEN
    rope_type: Literal["default", "mrope"] = NOT_GIVEN
    rope_theta: Annotated[Real, Field(gt=1)] = NOT_GIVEN
    mrope_section: Annotated[list[Count], Field(min_length=3, max_length=3)] = NOT_GIVEN
    mrope_interleaved: bool = NOT_GIVEN


class VisionRopeKeys(Keys):
    rope_type: Literal["axial"] = NOT_GIVEN
    rope_theta: Annotated[Real, Field(gt=1)] = NOT_GIVEN


class _SharedKeys(Keys):
    model_type: Annotated[str, Field(pattern="^qwen(2|2_5|3)_vl(_text|_vision)?$")] = NOT_GIVEN
    architectures: Annotated[list[str], Field(max_length=8)] | None = NOT_GIVEN
    dtype: Literal["float32", "float16", "bfloat16"] | None = NOT_GIVEN
    torch_dtype: Literal["float32", "float16", "bfloat16"] | None = NOT_GIVEN
    transformers_version: str | None = NOT_GIVEN
    hidden_act: Activation = NOT_GIVEN
    initializer_range: Share = NOT_GIVEN
    quantization_config: Annotated[Any, AfterValidator(_no_quantization)] = NOT_GIVEN


class TextKeys(_SharedKeys):
    """The language model."""

    vocab_size: Count = NOT_GIVEN
    hidden_size: Count = NOT_GIVEN
    intermediate_size: Count = NOT_GIVEN
    num_hidden_layers: Depth = NOT_GIVEN
    num_attention_heads: Count = NOT_GIVEN
    num_key_value_heads: Count | None = NOT_GIVEN
    head_dim: Count = NOT_GIVEN
    attention_bias: bool = NOT_GIVEN
    max_position_embeddings: Annotated[int, Field(ge=1, le=2**24)] = NOT_GIVEN
    rms_norm_eps: Annotated[Real, Field(gt=0, lt=1)] = NOT_GIVEN
    attention_dropout: Share | None = NOT_GIVEN
    rope_parameters: RopeKeys | None = NOT_GIVEN
    rope_scaling: RopeKeys | None = NOT_GIVEN
    rope_theta: Annotated[Real, Field(gt=1)] = NOT_GIVEN
    use_cache: bool = NOT_GIVEN
    use_sliding_window: Literal[False] | None = NOT_GIVEN
    sliding_window: int | None = NOT_GIVEN
    max_window_layers: int | None = NOT_GIVEN
    layer_types: Annotated[list[Literal["full_attention"]], Field(max_length=256)] | None = (
        NOT_GIVEN
    )
    tie_word_embeddings: bool = NOT_GIVEN
    bos_token_id: Token | None = NOT_GIVEN
    eos_token_id: Token | list[Token] | None = NOT_GIVEN
    pad_token_id: Token | None = NOT_GIVEN


class VisionKeys(_SharedKeys):
    """The vision tower; of a Qwen2-VL `embed_dim` is its width and `hidden_size` the other's."""

    depth: Depth = NOT_GIVEN
    hidden_size: Count = NOT_GIVEN
    intermediate_size: Count = NOT_GIVEN
    out_hidden_size: Count = NOT_GIVEN
    embed_dim: Count = NOT_GIVEN
    mlp_ratio: Annotated[Real, Field(gt=0, le=64)] = NOT_GIVEN
    num_heads: Count = NOT_GIVEN
    in_channels: Literal[3] = NOT_GIVEN
    in_chans: Literal[3] = NOT_GIVEN
    patch_size: Small = NOT_GIVEN
    spatial_patch_size: Small = NOT_GIVEN
    spatial_merge_size: Small = NOT_GIVEN
    temporal_patch_size: Small = NOT_GIVEN
    tokens_per_second: Real = NOT_GIVEN
    window_size: Annotated[int, Field(ge=1, le=1024)] = NOT_GIVEN
    fullatt_block_indexes: Annotated[list[int], Field(max_length=256)] = NOT_GIVEN
    rope_parameters: VisionRopeKeys | None = NOT_GIVEN
    num_position_embeddings: Count = NOT_GIVEN
    deepstack_visual_indexes: Annotated[list[Layer], Field(max_length=64)] = NOT_GIVEN


class PolicyKeys(TextKeys):
    """The whole; the keys of the language model stand beside the rest in the published files."""

    text_config: TextKeys | None = NOT_GIVEN
    vision_config: VisionKeys | None = NOT_GIVEN
    image_token_id: Token = NOT_GIVEN
    video_token_id: Token = NOT_GIVEN
    vision_start_token_id: Token = NOT_GIVEN
    vision_end_token_id: Token = NOT_GIVEN
    vision_token_id: Token = NOT_GIVEN


class SizeKeys(Keys):
    """Pixels of the whole image that the processor would resize to; here it resizes nothing."""

    shortest_edge: Annotated[int, Field(ge=1, le=2**31)] = NOT_GIVEN
    longest_edge: Annotated[int, Field(ge=1, le=2**31)] = NOT_GIVEN


class AnyImageKeys(Keys):
    """An image processor, but for its sizes."""

    image_processor_type: str = NOT_GIVEN
    processor_class: str = NOT_GIVEN
    do_convert_rgb: bool = NOT_GIVEN
    do_resize: bool = NOT_GIVEN
    do_rescale: Literal[True] = NOT_GIVEN
    do_normalize: Literal[True] = NOT_GIVEN
    image_mean: Annotated[list[Mean], Field(min_length=3, max_length=3)] = NOT_GIVEN
    image_std: Annotated[list[Deviation], Field(min_length=3, max_length=3)] = NOT_GIVEN
    rescale_factor: Annotated[Real, Field(gt=0, le=1)] = NOT_GIVEN
    resample: Annotated[int, Field(ge=0, le=5)] = NOT_GIVEN


class ImageKeys(AnyImageKeys):
    """A policy's image processor."""

    size: SizeKeys = NOT_GIVEN
    min_pixels: Annotated[int, Field(ge=1, le=2**31)] | None = NOT_GIVEN
    max_pixels: Annotated[int, Field(ge=1, le=2**31)] | None = NOT_GIVEN
    patch_size: Small = NOT_GIVEN
    temporal_patch_size: Small = NOT_GIVEN
    merge_size: Small = NOT_GIVEN


class TokenizerKeys(Keys):
    """tokenizer_config.json; the library says what a special token may be."""

    tokenizer_class: str | None = NOT_GIVEN
    processor_class: str = NOT_GIVEN
    backend: str = NOT_GIVEN
    add_bos_token: bool = NOT_GIVEN
    add_eos_token: bool = NOT_GIVEN
    add_prefix_space: bool | None = NOT_GIVEN
    added_tokens_decoder: dict[str, dict[str, Any]] = NOT_GIVEN
    additional_special_tokens: list[Any] | None = NOT_GIVEN
    extra_special_tokens: list[Any] | dict[str, Any] = NOT_GIVEN
    bos_token: str | dict[str, Any] | None = NOT_GIVEN
    eos_token: str | dict[str, Any] | None = NOT_GIVEN
    pad_token: str | dict[str, Any] | None = NOT_GIVEN
    unk_token: str | dict[str, Any] | None = NOT_GIVEN
    clean_up_tokenization_spaces: bool = NOT_GIVEN
    split_special_tokens: Literal[False] = NOT_GIVEN
    errors: Literal["replace", "ignore", "strict"] = NOT_GIVEN
    model_max_length: Annotated[Real, Field(ge=1)] = NOT_GIVEN
    padding_side: Literal["left", "right"] = NOT_GIVEN
    truncation_side: Literal["left", "right"] = NOT_GIVEN


class GenerationKeys(Keys):
    """generation_config.json, which is saved with a trained policy and not used here."""

    from_model_config: bool = Field(NOT_GIVEN, alias="_from_model_config")
    transformers_version: str = NOT_GIVEN
    bos_token_id: Token | None = NOT_GIVEN
    eos_token_id: Token | list[Token] | None = NOT_GIVEN
    pad_token_id: Token | None = NOT_GIVEN
    do_sample: bool = NOT_GIVEN
    temperature: Annotated[Real, Field(ge=0)] | None = NOT_GIVEN
    top_p: Annotated[Real, Field(ge=0, le=1)] | None = NOT_GIVEN
    top_k: Annotated[int, Field(ge=0)] | None = NOT_GIVEN
    repetition_penalty: Annotated[Real, Field(gt=0)] | None = NOT_GIVEN
    output_attentions: bool = NOT_GIVEN
    output_hidden_states: bool = NOT_GIVEN
    use_cache: bool = NOT_GIVEN
