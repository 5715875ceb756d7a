"""What the configuration file of a SAM 2 may say, and the model that is built of it.

The files have the form of Meta's own (`_target_` and arguments), in which any function of any
library could be named. Here each place in the tree has one class, written below, that takes the
arguments which Meta's files give it and no other; nothing that a file names is ever looked up.
"""

from __future__ import annotations

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

from samr1.config.schema import Frozen, refusal

Width = Annotated[int, Field(ge=1, le=4096)]  # channels, heads, pixels
Depth = Annotated[int, Field(ge=0, le=64)]  # layers, kernels
Number = Annotated[float, Field(strict=False)]  # to YAML 1e-6 is a word
Grid = Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(min_length=2, max_length=2)]
Blocks = Annotated[list[int], Field(max_length=64)]
Stages = Annotated[list[Depth], Field(min_length=4, max_length=4)]
Widths = Annotated[list[Width], Field(min_length=4, max_length=4)]

NOT_GIVEN: Any = None  # the class's own default holds


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
    embed_dim: Width = NOT_GIVEN
    num_heads: Width = NOT_GIVEN
    stages: Stages = NOT_GIVEN
    window_pos_embed_bkg_spatial_size: Grid = NOT_GIVEN
    window_spec: Widths = NOT_GIVEN
    global_att_blocks: Blocks = NOT_GIVEN


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
    scalp: Annotated[int, Field(ge=0, le=1)] = NOT_GIVEN


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
    num_layers: Depth


class DownSamplerPart(Part):
    builds = MaskDownSampler
    embed_dim: Width = NOT_GIVEN
    kernel_size: Depth = NOT_GIVEN
    stride: Depth = NOT_GIVEN
    padding: Depth = NOT_GIVEN


class FuserLayerPart(Part):
    builds = CXBlock
    dim: Width
    kernel_size: Depth = NOT_GIVEN
    padding: Depth = NOT_GIVEN
    layer_scale_init_value: Number = NOT_GIVEN
    use_dwconv: bool = NOT_GIVEN


class FuserPart(Part):
    builds = Fuser
    layer: FuserLayerPart
    num_layers: Depth


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
    image_size: Annotated[int, Field(ge=16, le=4096, multiple_of=16)]
    num_maskmem: Depth = NOT_GIVEN
    sigmoid_scale_for_mem_enc: Number = NOT_GIVEN
    sigmoid_bias_for_mem_enc: Number = NOT_GIVEN
    use_mask_input_as_output_without_sam: bool = NOT_GIVEN
    directly_add_no_mem_embed: bool = NOT_GIVEN
    use_high_res_features_in_sam: bool = NOT_GIVEN
    multimask_output_in_sam: bool = NOT_GIVEN
    multimask_min_pt_num: Depth = NOT_GIVEN
    multimask_max_pt_num: Depth = NOT_GIVEN
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
        width = self.image_encoder.neck.d_model
        attention, fuser = self.memory_attention, self.memory_encoder.fuser
        widths = {
            "memory_attention.layer.d_model": attention.layer.d_model,
            "memory_attention.layer.self_attention.embedding_dim": (
                attention.layer.self_attention.embedding_dim
            ),
            "memory_attention.layer.cross_attention.embedding_dim": (
                attention.layer.cross_attention.embedding_dim
            ),
            "memory_encoder.fuser.layer.dim": fuser.layer.dim,
        }
        for path, value in widths.items():
            if value != width:
                raise refusal(path, value, f"must be image_encoder.neck.d_model, {width}")
        return self
