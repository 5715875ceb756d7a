"""What the configuration file of a SAM 2 may say, and the model that is built of it.

The files have the form of Meta's own (`_target_` and arguments), in which any function of any
library could be named. Here each place in the tree has one class, written below, that takes the
arguments which Meta's files give it and no other; nothing that a file names is ever looked up.
"""

from __future__ import annotations

from inspect import signature
from itertools import accumulate
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.transformer import RoPEAttention
from sam2.modeling.sam2_base import SAM2Base
from torch import nn

from samr1.config.base import Frozen, refusal

Width = Annotated[int, Field(ge=1, le=4096)]  # channels, heads, pixels
Depth = Annotated[int, Field(ge=0, le=64)]  # blocks
Small = Annotated[int, Field(ge=0, le=16)]  # layers, memories, kernels
Number = Annotated[float, Field(strict=False)]  # to YAML 1e-6 is a word
Grid = Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(min_length=2, max_length=2)]
Blocks = Annotated[list[int], Field(max_length=64)]
Stages = Annotated[list[Depth], Field(min_length=4, max_length=4)]
Widths = Annotated[list[Width], Field(min_length=4, max_length=4)]

NOT_GIVEN: Any = None  # the class's own default holds
_HIERA = {name: one.default for name, one in signature(Hiera).parameters.items()}


class Part(Frozen):
    """One class of SAM 2 with its arguments."""

    model_config = ConfigDict(strict=True)

    builds: ClassVar[type[nn.Module]]
    target: str = Field(alias="_target_")

    @field_validator("target")
    @classmethod
    def _names_the_class(cls, target: str) -> str:
        if target != (allowed := f"{cls.builds.__module__}.{cls.builds.__qualname__}"):
            raise ValueError(f"must be {allowed}")
        return target

    def build(self) -> Any:
        """The module with random weights, its parts first, all in the order written here."""
        arguments: dict[str, Any] = {}
        for name in type(self).model_fields:
            if name in self.model_fields_set and name != "target":
                value = getattr(self, name)
                arguments[name] = value.build() if isinstance(value, Part) else value
        return self.builds(**arguments)


class PositionsPart(Part):
    builds = PositionEmbeddingSine
    num_pos_feats: Width
    temperature: Number = NOT_GIVEN
    normalize: bool = NOT_GIVEN
    scale: Number | None = NOT_GIVEN


class TrunkPart(Part):
    builds = Hiera
    # With the class's own defaults, where a check below needs the number.
    embed_dim: Width = _HIERA["embed_dim"]
    num_heads: Width = _HIERA["num_heads"]
    stages: Stages = list(_HIERA["stages"])  # noqa: RUF012
    window_pos_embed_bkg_spatial_size: Grid = NOT_GIVEN
    window_spec: Widths = list(_HIERA["window_spec"])  # noqa: RUF012
    global_att_blocks: Blocks = list(_HIERA["global_att_blocks"])  # noqa: RUF012


class NeckPart(Part):
    builds = FpnNeck
    position_encoding: PositionsPart
    d_model: Width
    backbone_channel_list: Widths
    fpn_interp_model: Literal["nearest", "bilinear"] = NOT_GIVEN
    fpn_top_down_levels: Blocks = NOT_GIVEN


class ImageEncoderPart(Part):
    builds = ImageEncoder
    trunk: TrunkPart
    neck: NeckPart
    scalp: Literal[1]


class AttentionPart(Part):
    builds = RoPEAttention
    embedding_dim: Width
    num_heads: Width
    downsample_rate: Width = NOT_GIVEN
    dropout: Number = NOT_GIVEN
    kv_in_dim: Width = NOT_GIVEN
    rope_theta: Number = NOT_GIVEN
    rope_k_repeat: bool = NOT_GIVEN
    feat_sizes: Grid = NOT_GIVEN


class MemoryLayerPart(Part):
    builds = MemoryAttentionLayer
    activation: Literal["relu", "gelu", "glu"]
    dim_feedforward: Width
    dropout: Number
    d_model: Width
    pos_enc_at_attn: bool
    pos_enc_at_cross_attn_keys: bool
    pos_enc_at_cross_attn_queries: bool
    self_attention: AttentionPart
    cross_attention: AttentionPart


class MemoryAttentionPart(Part):
    builds = MemoryAttention
    d_model: Width
    pos_enc_at_input: bool
    layer: MemoryLayerPart
    num_layers: Small


class DownSamplerPart(Part):
    builds = MaskDownSampler
    embed_dim: Width = NOT_GIVEN
    kernel_size: Small = NOT_GIVEN
    stride: Small = NOT_GIVEN
    padding: Small = NOT_GIVEN


class FuserLayerPart(Part):
    builds = CXBlock
    dim: Width
    kernel_size: Small = NOT_GIVEN
    padding: Small = NOT_GIVEN
    layer_scale_init_value: Number = NOT_GIVEN
    use_dwconv: bool = NOT_GIVEN


class FuserPart(Part):
    builds = Fuser
    layer: FuserLayerPart
    num_layers: Small


class MemoryEncoderPart(Part):
    builds = MemoryEncoder
    in_dim: Width = NOT_GIVEN
    out_dim: Width
    position_encoding: PositionsPart
    mask_downsampler: DownSamplerPart
    fuser: FuserPart


class Sam2Part(Part):
    """A whole SAM 2."""

    builds = SAM2Base
    image_encoder: ImageEncoderPart
    memory_attention: MemoryAttentionPart
    memory_encoder: MemoryEncoderPart
    image_size: Annotated[int, Field(ge=32, le=2048, multiple_of=32)]
    num_maskmem: Small = NOT_GIVEN
    sigmoid_scale_for_mem_enc: Number = NOT_GIVEN
    sigmoid_bias_for_mem_enc: Number = NOT_GIVEN
    use_mask_input_as_output_without_sam: bool = NOT_GIVEN
    directly_add_no_mem_embed: bool = NOT_GIVEN
    use_high_res_features_in_sam: bool = NOT_GIVEN
    multimask_output_in_sam: bool = NOT_GIVEN
    multimask_min_pt_num: Small = NOT_GIVEN
    multimask_max_pt_num: Small = NOT_GIVEN
    multimask_output_for_tracking: bool = NOT_GIVEN
    use_multimask_token_for_obj_ptr: bool = NOT_GIVEN
    iou_prediction_use_sigmoid: bool = NOT_GIVEN
    use_obj_ptrs_in_encoder: bool = NOT_GIVEN
    add_tpos_enc_to_obj_ptrs: bool = NOT_GIVEN
    proj_tpos_enc_in_obj_ptrs: bool = NOT_GIVEN
    use_signed_tpos_enc_to_obj_ptrs: bool = NOT_GIVEN
    only_obj_ptrs_in_the_past_for_eval: bool = NOT_GIVEN
    pred_obj_scores: bool = NOT_GIVEN
    pred_obj_scores_mlp: bool = NOT_GIVEN
    fixed_no_obj_ptr: bool = NOT_GIVEN
    use_mlp_for_obj_ptr_proj: bool = NOT_GIVEN
    no_obj_embed_spatial: bool = NOT_GIVEN
    compile_image_encoder: Literal[False] = NOT_GIVEN

    @model_validator(mode="after")
    def _has_one_width(self) -> Sam2Part:
        """The parts that no weight tells of, where they have no layer, are as wide as the rest."""
        width, attention = self.image_encoder.neck.d_model, self.memory_attention.layer
        memory, side = self.memory_encoder, self.image_size // 16
        widths: dict[str, tuple[Any, Any]] = {
            "memory_attention.layer.d_model": (attention.d_model, width),
            "image_encoder.neck.position_encoding.num_pos_feats": (
                self.image_encoder.neck.position_encoding.num_pos_feats,
                width,
            ),
            "memory_encoder.fuser.layer.dim": (memory.fuser.layer.dim, width),
            "memory_encoder.position_encoding.num_pos_feats": (
                memory.position_encoding.num_pos_feats,
                memory.out_dim,
            ),
        }
        for name in ("self_attention", "cross_attention"):
            part = getattr(attention, name)
            path = f"memory_attention.layer.{name}"
            widths[f"{path}.embedding_dim"] = (part.embedding_dim, width)
            widths[f"{path}.feat_sizes"] = (part.feat_sizes, [side, side])
        for path, (found, needed) in widths.items():
            if found != needed:
                raise refusal(path, found, f"must be {needed}, by the sizes of the other parts")
        return self

    @model_validator(mode="after")
    def _has_windows_that_fit(self) -> Sam2Part:
        """What no weight tells of, and would only show when an image is embedded."""
        trunk = self.image_encoder.trunk
        *pooled, _ = trunk.window_spec
        starts = set(accumulate(trunk.stages[:-1]))
        value: object
        if trunk.embed_dim % trunk.num_heads:
            path, value, needed = "num_heads", trunk.num_heads, f"a divisor of {trunk.embed_dim}"
        elif self.image_size // 4 % trunk.window_spec[0] or any(side % 2 for side in pooled):
            path, value = "window_spec", trunk.window_spec
            needed = f"even but for the last, and the first a divisor of {self.image_size // 4}"
        elif starts & set(trunk.global_att_blocks):
            path, value = "global_att_blocks", trunk.global_att_blocks
            needed = f"without the first of a stage ({', '.join(map(str, sorted(starts)))})"
        else:
            return self
        raise refusal(f"image_encoder.trunk.{path}", value, f"must be {needed}")

    def least_numbers(self) -> int:
        """Fewer numbers than its weights have, so that a size that lies shows before it is built.

        Of the trunk's blocks, the mask decoder's networks and the layers of memory attention.
        """
        trunk, memory = self.image_encoder.trunk, self.memory_attention
        width = self.image_encoder.neck.d_model
        blocks = sum(
            11 * count * (trunk.embed_dim * 2**stage) ** 2
            for stage, count in enumerate(trunk.stages)
        )
        layer = 6 * width**2 + 2 * width * memory.layer.dim_feedforward
        return blocks + 8 * width**2 + memory.num_layers * layer
