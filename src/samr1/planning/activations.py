"""What a forward and backward pass keeps, as products of sizes.

Read off `transformers`' Qwen2.5-VL and `rollout.logprobs`, and held to the tensors that autograd
saves (`tests/planning/test_memory.py`).
"""

from __future__ import annotations

from samr1.planning.job import Job, MemoryItem, times
from samr1.planning.parameters import (
    count_image_tokens,
    count_patches,
    key_value_width,
    text_of,
    vision_of,
)
from samr1.rollout.logprobs import LOGITS_AT_ONCE

# A number's bytes in a chunk of logits: logits, as float32, blocked and tempered, log-softmax, its
# gradient, and the entropy's two.
LOGIT_BYTES = 24
# Weights that DeepSpeed's stage 3 has together at most, in numbers (zero/config.py).
LIVE_NUMBERS = 10**9


def gathered(job: Job, numbers: int) -> list[MemoryItem]:
    """Weights that stage 3 brings together for a while."""
    if job.zero_stage < 3 or job.processes == 1:
        return []
    return [times("weights brought together", numbers, job.number_bytes)]


def text_layer_bytes(job: Job) -> int:
    """What a layer of the language model keeps for a token's backward pass.

    Of each of two norms the input as float32, the normalised input and the output; queries, keys,
    values and the attention's output; four times the MLP's width.
    """
    text = text_of(job.policy)
    copied = text.hidden_size if job.cuda else 0  # FlexAttention's output, made contiguous
    kept = 6 * text.hidden_size + 2 * key_value_width(job.policy) + copied
    return int(8 * text.hidden_size + job.number_bytes * (kept + 4 * text.intermediate_size))


def vision_block_bytes(job: Job) -> int:
    """What a block of the vision tower keeps for a patch's backward pass; as a layer's."""
    vision = vision_of(job.policy)
    kept = 11 * vision.hidden_size + 4 * vision.intermediate_size
    return int(8 * vision.hidden_size + job.number_bytes * kept)


def groups_bytes(job: Job, tokens: int) -> int:
    """What attention in two parts, as on a CPU, keeps of `tokens` packed tokens in one layer more.

    Of the responses their queries and output, and a copy of all keys and values that they see, each
    its own; of the prompts the output; and the mask as numbers.
    """
    rows, answers = tokens / job.row, tokens / job.row * job.group_size
    length = job.response_tokens - 1  # packed, without the last
    seen = job.prompt_tokens + length
    outputs = (rows * job.prompt_tokens + 2 * answers * length) * text_of(job.policy).hidden_size
    copies = 2 * answers * seen * key_value_width(job.policy)
    return int(job.number_bytes * (outputs + copies + answers * length * seen))


def kept_activations(job: Job, tokens: int, images: int) -> list[MemoryItem]:
    """What `tokens` packed tokens with `images` images keep for the backward pass, logits apart."""
    text, vision, number = text_of(job.policy), vision_of(job.policy), job.number_bytes
    layer, block = text_layer_bytes(job), vision_block_bytes(job)
    if job.gradient_checkpointing:
        layer, block = text.hidden_size * number, vision.hidden_size * number
    depth, hidden = text.num_hidden_layers, text.hidden_size
    items = [
        times("layers' activations", (tokens, "tokens"), depth, layer),
        times("last norm", tokens, hidden, 4 + number),
    ]
    if not job.cuda and number == 2:  # a GPU multiplies bfloat16 into float32 without a copy
        items.append(times("the head as float32", text.vocab_size, text.hidden_size, 4))
    if not job.cuda and not job.gradient_checkpointing:
        items.append(times("responses apart from prompts", depth, groups_bytes(job, tokens)))
    if job.train_vision:
        patches = images * count_patches(job.policy, job.image_size)
        merged = images * count_image_tokens(job.policy, job.image_size)
        wide = vision.hidden_size * vision.spatial_merge_size**2
        pixels = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        items += [
            times("patches", patches, pixels, number),
            times("vision tower's activations", (patches, "patches"), vision.depth, block),
            times("merger's activations", merged, wide, 4 + 4 * number),
        ]
    return items


def backward(job: Job) -> list[MemoryItem]:
    """What a forward and a backward pass of the largest size add to states and gradients."""
    text, number, tokens = text_of(job.policy), job.number_bytes, job.pass_tokens
    wide = (3 * text.intermediate_size + 4 * text.hidden_size) * number
    items = [
        *gathered(job, min(job.parts.all, LIVE_NUMBERS)),
        *kept_activations(job, tokens, job.pass_images),
        times("a layer's gradients in flight", tokens, wide),
        times("a chunk of logits", min(tokens * text.vocab_size, LOGITS_AT_ONCE), LOGIT_BYTES),
    ]
    if job.gradient_checkpointing:
        patches = job.pass_images * count_patches(job.policy, job.image_size)
        block = vision_block_bytes(job) if job.train_vision else 0
        again = (tokens, text_layer_bytes(job)), (patches, block)
        largest = max(again, key=lambda pair: pair[0] * pair[1])
        items.append(times("a layer computed again", *largest))
        if not job.cuda:
            items.append(times("its responses apart from prompts", groups_bytes(job, tokens)))
    if not job.adapter:
        head = text.vocab_size * text.hidden_size
        items.append(times("the head's gradient, summed over chunks", head, 2 * number))
    return items
