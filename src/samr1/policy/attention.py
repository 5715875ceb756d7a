"""The attention of the language model: a pass that brings packed rows has a kernel of its own.

So one model decodes with a cache and trains on packed rows with nothing to switch in between. A
switch would be back by the time that gradient checkpointing computes a layer for the second time.
Whether packed rows go to FlexAttention or to two calls of SDPA was said when the model was loaded,
by the name of its attention.
"""

from __future__ import annotations

import os
import shutil
from functools import cache, partial
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from samr1.config.names import PackedAttention
from samr1.core.errors import UserError
from samr1.policy.packed_rows import PackedGroups, PackedRows

_NAME = "packed_{}"  # the name under which `transformers` knows it, by the form of packed rows


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    *,
    packed: PackedAttention = "two_calls",
    packed_rows: PackedRows | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention of query [B, H, L, D] to key and value [B, K, S, D], K a divisor of H.

    `packed_rows` go by themselves, since the library looks into every `attention_mask`; they are
    attended in the form `packed`, without dropout. Returns [B, L, H, D], and None for the weights.
    """
    if packed_rows is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    if packed == "two_calls":
        return _attend_in_groups(query, key, value, packed_rows.groups, scaling), None
    # Uncompiled it serves the tests, on the CPU: there it holds all scores at once.
    flex: Any = _compiled_flex() if query.is_cuda else flex_attention
    output: Tensor = flex(
        query, key, value, block_mask=packed_rows.blocks, scale=scaling, enable_gqa=True
    )  # [B, H, L, D]
    return output.transpose(1, 2).contiguous(), None


def _attend_in_groups(
    query: Tensor, key: Tensor, value: Tensor, groups: PackedGroups, scaling: float
) -> Tensor:
    """Prompts by themselves, then each response over its prompt and itself: [Q, L, H, D].

    A dense mask goes through every pair of tokens of a row, most of them of two responses.
    """
    prompt = groups.prompt
    # What follows a shorter prompt in its row comes later than all of it, so causal is enough.
    of_prompts = scaled_dot_product_attention(
        query[:, :, :prompt],
        key[:, :, :prompt],
        value[:, :, :prompt],
        is_causal=True,
        scale=scaling,
        enable_gqa=True,
    )  # [Q, H, P, D]

    def own(states: Tensor) -> Tensor:  # [R, heads, T, D]
        places = states.transpose(1, 2).flatten(0, 1)
        picked = places.index_select(0, groups.tokens.flatten())
        return picked.unflatten(0, groups.tokens.shape).transpose(1, 2)

    # Of a GPU's kernels the one that holds all scores, in float32, alone takes a mask and shared
    # heads together.
    copies = query.shape[1] // key.shape[1] if query.is_cuda else 1

    def seen(states: Tensor) -> Tensor:  # [R, heads, P + T, D]
        both = [states[:, :, :prompt].index_select(0, groups.row), own(states)]
        return repeat_kv(torch.cat(both, dim=2), copies)

    of_responses = scaled_dot_product_attention(
        own(query),
        seen(key),
        seen(value),
        attn_mask=groups.visible,
        scale=scaling,
        enable_gqa=True,
    )  # [R, H, T, D]
    parts = [part.transpose(1, 2).flatten(0, 1) for part in (of_prompts, of_responses)]
    packed = torch.cat(parts).index_select(0, groups.place)
    return packed.unflatten(0, (len(query), query.shape[2]))


def find_compiler() -> str | None:
    """The C compiler that Triton takes; None where it would find none."""
    return os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")


@cache
def _compiled_flex() -> Any:
    import torch._dynamo.config
    import torch._inductor.config

    if not find_compiler():
        raise UserError(
            "FlexAttention's kernel needs a C compiler and there is neither gcc nor clang; install "
            "one (envs/cuda.yaml brings it), or set policy.attention: two_calls."
        )
    # One kernel for rows of any number and length, and a few for special sizes (a single row or
    # block, two sizes that agree). Beyond the limit torch stops, as `fullgraph` asks, rather than
    # going on uncompiled.
    torch._dynamo.config.recompile_limit = 64
    # A worker for each core, which is the default, would be as many again for every GPU.
    torch._inductor.config.compile_threads = torch.get_num_threads()
    return torch.compile(flex_attention, dynamic=True, fullgraph=True)


def attention_name(packed: PackedAttention, device: torch.device) -> str:
    """The name of the attention that a language model on `device` is given.

    FlexAttention has no backward pass on a CPU, which takes two calls always.
    """
    return _NAME.format(packed if device.type == "cuda" else "two_calls")


for _packed in get_args(PackedAttention):
    AttentionInterface.register(_NAME.format(_packed), partial(attend, packed=_packed))
    AttentionMaskInterface.register(_NAME.format(_packed), sdpa_mask)
