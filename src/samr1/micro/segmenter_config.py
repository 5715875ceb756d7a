"""The tiny SAM 2: the real classes at a width that two CPU cores can train."""

from __future__ import annotations

from typing import Any

IMAGE_SIZE = 128
_WIDTH = 64  # channels of the neck and the mask decoder


def _sine_position(features: int) -> dict[str, Any]:
    return {
        "_target_": "sam2.modeling.position_encoding.PositionEmbeddingSine",
        "num_pos_feats": features,
        "normalize": True,
        "scale": None,
        "temperature": 10000,
    }


# The video parts are off (no memory attention layers, one memory): only images are segmented.
SEGMENTER_CONFIG: dict[str, Any] = {
    "_target_": "sam2.modeling.sam2_base.SAM2Base",
    "image_encoder": {
        "_target_": "sam2.modeling.backbones.image_encoder.ImageEncoder",
        "scalp": 1,
        "trunk": {
            "_target_": "sam2.modeling.backbones.hieradet.Hiera",
            "embed_dim": 16,
            "num_heads": 1,
            "stages": [1, 2, 3, 1],
            # A block with global attention must not be the first of a stage.
            "global_att_blocks": [4, 5],
            "window_pos_embed_bkg_spatial_size": [7, 7],
            "window_spec": [8, 4, 8, 4],
        },
        "neck": {
            "_target_": "sam2.modeling.backbones.image_encoder.FpnNeck",
            "position_encoding": _sine_position(_WIDTH),
            "d_model": _WIDTH,
            "backbone_channel_list": [128, 64, 32, 16],
            "fpn_top_down_levels": [2, 3],
            "fpn_interp_model": "nearest",
        },
    },
    "memory_attention": {
        "_target_": "sam2.modeling.memory_attention.MemoryAttention",
        "d_model": _WIDTH,
        "pos_enc_at_input": True,
        "num_layers": 0,
        "layer": {
            "_target_": "sam2.modeling.memory_attention.MemoryAttentionLayer",
            "activation": "relu",
            "dim_feedforward": _WIDTH,
            "dropout": 0.0,
            "pos_enc_at_attn": False,
            "d_model": _WIDTH,
            "pos_enc_at_cross_attn_keys": True,
            "pos_enc_at_cross_attn_queries": False,
            "self_attention": {
                "_target_": "sam2.modeling.sam.transformer.RoPEAttention",
                "rope_theta": 10000.0,
                "feat_sizes": [8, 8],
                "embedding_dim": _WIDTH,
                "num_heads": 1,
                "downsample_rate": 1,
                "dropout": 0.0,
            },
            "cross_attention": {
                "_target_": "sam2.modeling.sam.transformer.RoPEAttention",
                "rope_theta": 10000.0,
                "feat_sizes": [8, 8],
                "rope_k_repeat": True,
                "embedding_dim": _WIDTH,
                "num_heads": 1,
                "downsample_rate": 1,
                "dropout": 0.0,
                "kv_in_dim": 16,
            },
        },
    },
    "memory_encoder": {
        "_target_": "sam2.modeling.memory_encoder.MemoryEncoder",
        "in_dim": _WIDTH,
        "out_dim": 16,
        "position_encoding": _sine_position(16),
        "mask_downsampler": {
            "_target_": "sam2.modeling.memory_encoder.MaskDownSampler",
            "embed_dim": 16,
            "kernel_size": 3,
            "stride": 2,
            "padding": 1,
        },
        "fuser": {
            "_target_": "sam2.modeling.memory_encoder.Fuser",
            "layer": {
                "_target_": "sam2.modeling.memory_encoder.CXBlock",
                "dim": _WIDTH,
                "kernel_size": 3,
                "padding": 1,
                "layer_scale_init_value": 1e-6,
                "use_dwconv": True,
            },
            "num_layers": 1,
        },
    },
    "num_maskmem": 1,
    "image_size": IMAGE_SIZE,
    "directly_add_no_mem_embed": True,
    "use_high_res_features_in_sam": True,
    "multimask_output_in_sam": True,
    "iou_prediction_use_sigmoid": True,
}
