"""What a forward pass keeps for its backward pass, read off `transformers`' Qwen2.5-VL."""

from __future__ import annotations

import math

from transformers import Qwen3VLConfig

from samr1.planning.job import Estimate, Job, times
from samr1.planning.parameters import (
    attention_width,
    count_image_tokens,
    count_mergers,
    is_gated,
    key_value_width,
)


def kept_activations(job: Job, tokens: int, images: int) -> list[Estimate]:
    """What `tokens` packed tokens with `images` images keep for the backward pass, logits apart."""
    text, vision, number = job.text, job.vision, job.number_bytes
    again = job.train.gradient_checkpointing
    layer = text.hidden_size * number if again else _layer_bytes(job)
    items = [
        times("layers' activations", (tokens, "tokens"), text.num_hidden_layers, layer),
        times("last norm", tokens, text.hidden_size, 4 + number),
    ]
    if job.two_calls and not again:
        apart = _groups_bytes(job, tokens)
        items.append(times("responses apart from prompts", text.num_hidden_layers, apart))
    if not job.cuda and number == 2:  # a GPU multiplies bfloat16 into float32 without a copy
        items.append(times("the head as float32", text.vocab_size, text.hidden_size, 4))
    if job.stage.policy.train_vision:
        patches = images * job.patches
        merged = images * count_image_tokens(job.policy, job.stage.policy.image_size)
        merged *= count_mergers(job.policy)
        wide = vision.hidden_size * vision.spatial_merge_size**2
        pixels = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        block = vision.hidden_size * number if again else _block_bytes(job)
        items += [
            times("patches", patches, pixels, number),
            times("vision tower's activations", (patches, "patches"), vision.depth, block),
            times("merger's activations", merged, wide, 4 + 4 * number),
        ]
    return items


def computed_again(job: Job) -> list[Estimate]:
    """What a layer keeps in the backward pass, of those that kept nothing before it."""
    if not job.train.gradient_checkpointing:
        return []
    tokens, block = job.pass_tokens, _block_bytes(job) if job.stage.policy.train_vision else 0
    layers = (tokens, _layer_bytes(job)), (job.pass_images * job.patches, block)
    items = [times("a layer computed again", *max(layers, key=math.prod))]
    if job.two_calls:
        items.append(times("its responses apart from prompts", _groups_bytes(job, tokens)))
    return items


def in_flight(job: Job) -> int:
    """What a layer of the language model holds of a token while it computes, or its gradients."""
    return int(job.number_bytes * (3 * job.text.intermediate_size + 4 * job.text.hidden_size))


def _layer_bytes(job: Job) -> int:
    """What a layer of the language model keeps for a token's backward pass.

    Of each norm the input as float32, the normalised input and the output; queries, keys, values
    and the attention's output; four times the MLP's width.
    """
    queries, keys = attention_width(job.policy), key_value_width(job.policy)
    normed = 2 * job.text.hidden_size
    if isinstance(job.policy, Qwen3VLConfig):
        normed += queries + keys
    outputs = 1 if job.two_calls else 2  # FlexAttention's is made contiguous
    kept = (1 + outputs) * queries + 2 * keys + 4 * job.text.intermediate_size
    return int(normed * (4 + 2 * job.number_bytes) + job.number_bytes * kept)


def _block_bytes(job: Job) -> int:
    """What a block of the vision tower keeps for a patch's backward pass; as a layer's."""
    products = 4 if is_gated(job.policy) else 2
    kept = 11 * job.vision.hidden_size + products * job.vision.intermediate_size
    return int(8 * job.vision.hidden_size + job.number_bytes * kept)


def _groups_bytes(job: Job, tokens: int) -> int:
    """What attention in two calls keeps of `tokens` packed tokens in one layer more.

    Of the responses their queries and output, and a copy of all keys and values that they see, each
    its own, on a GPU one for every head; of the prompts the output; and the mask as numbers.
    """
    rows, answers = tokens / job.row, tokens / job.row * job.train.group_size
    length = job.train.max_response_tokens - 1  # packed, without the last
    seen = job.prompt_tokens + length
    outputs = (rows * job.prompt_tokens + 2 * answers * length) * attention_width(job.policy)
    width = attention_width(job.policy) if job.cuda else key_value_width(job.policy)
    copies = 2 * answers * seen * width
    return int(job.number_bytes * (outputs + copies + answers * length * seen))
