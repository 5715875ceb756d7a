"""What a forward and backward pass keeps, as sums of products of sizes.

Read off `transformers`' Qwen2.5-VL and `rollout.logprobs`, and held to the tensors that autograd
saves (`tests/planning/test_memory.py`).
"""

from __future__ import annotations

from samr1.planning.job import Job, MemoryItem
from samr1.planning.parameters import (
    count_image_tokens,
    count_parts,
    count_patches,
    key_value_width,
    text_of,
    vision_of,
)

# Response positions × vocabulary in one chunk of logits (`rollout.logprobs`), and a number's bytes
# there: logits, as float32, blocked and tempered, log-softmax, its gradient, and the entropy's two.
LOGITS_AT_ONCE, LOGIT_BYTES = 2**26, 24
# Weights that DeepSpeed's stage 3 has together at most, in numbers (zero/config.py).
LIVE_NUMBERS = 1e9


def gathered(job: Job, numbers: float) -> list[MemoryItem]:
    """Weights that stage 3 brings together for a while."""
    if job.zero_stage < 3 or job.processes == 1:
        return []
    size = numbers * job.number_bytes
    return [MemoryItem("weights brought together", f"{numbers:,.0f} × {job.number_bytes} B", size)]


def text_layer_bytes(job: Job) -> int:
    """What a layer of the language model keeps for a token's backward pass.

    Of each of two norms the input as float32, the normalised input and the output; queries, keys,
    values and the attention's output; four times the MLP's width.
    """
    text, number = text_of(job.policy), job.number_bytes
    copied = text.hidden_size if job.cuda else 0  # FlexAttention's output, made contiguous
    kept = 6 * text.hidden_size + 2 * key_value_width(job.policy) + copied
    kept += 4 * text.intermediate_size
    return int(8 * text.hidden_size + number * kept)


def groups_bytes(job: Job, tokens: int) -> int:
    """What attention in two parts, as on a CPU, keeps of `tokens` packed tokens in one layer more.

    Of the responses their queries and output, and a copy of all keys and values that they see, each
    its own; of the prompts the output; and the mask as numbers.
    """
    rows, answers = tokens / job.row, tokens / job.row * job.group_size
    length = job.response_tokens - 1  # packed, without the last
    seen = job.prompt_tokens + length
    hidden = text_of(job.policy).hidden_size
    outputs = (rows * job.prompt_tokens + 2 * answers * length) * hidden
    copies = 2 * answers * seen * key_value_width(job.policy)
    return int(job.number_bytes * (outputs + copies + answers * length * seen))


def vision_block_bytes(job: Job) -> int:
    """What a block of the vision tower keeps for a patch's backward pass; as a layer's."""
    vision = vision_of(job.policy)
    kept = 11 * vision.hidden_size + 4 * vision.intermediate_size
    return int(8 * vision.hidden_size + job.number_bytes * kept)


def kept_activations(job: Job, tokens: int, images: int) -> list[MemoryItem]:
    """What `tokens` packed tokens with `images` images keep for the backward pass, logits apart."""
    text, vision = text_of(job.policy), vision_of(job.policy)
    number, layer, block = job.number_bytes, text_layer_bytes(job), vision_block_bytes(job)
    patches = images * count_patches(job.policy, job.image_size)
    if job.gradient_checkpointing:
        layer, block = text.hidden_size * number, vision.hidden_size * number
    lines = [
        MemoryItem(
            "layers' activations",
            f"{tokens:,} tokens × {text.num_hidden_layers} × {layer:,} B",
            tokens * text.num_hidden_layers * layer,
        ),
        MemoryItem(
            "last norm",
            f"{tokens:,} × {text.hidden_size:,} × {4 + number} B",
            tokens * text.hidden_size * (4 + number),
        ),
    ]
    if not job.cuda and not job.gradient_checkpointing:
        groups = groups_bytes(job, tokens)
        lines.append(
            MemoryItem(
                "responses apart from prompts",
                f"{text.num_hidden_layers} × {groups:,} B",
                text.num_hidden_layers * groups,
            )
        )
    if job.train_vision:
        merged = images * count_image_tokens(job.policy, job.image_size)
        wide = vision.hidden_size * vision.spatial_merge_size**2
        pixels = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
        lines += [
            MemoryItem(
                "patches", f"{patches:,} × {pixels:,} × {number} B", patches * pixels * number
            ),
            MemoryItem(
                "vision tower's activations",
                f"{patches:,} patches × {vision.depth} × {block:,} B",
                patches * vision.depth * block,
            ),
            MemoryItem(
                "merger's activations",
                f"{merged:,} × {wide:,} × {4 + 4 * number} B",
                merged * wide * (4 + 4 * number),
            ),
        ]
    return lines


def backward(job: Job) -> list[MemoryItem]:
    """What a forward and a backward pass of the largest size add to states and gradients."""
    text, number, tokens = text_of(job.policy), job.number_bytes, job.pass_tokens
    parts = count_parts(job.policy)
    layer = text_layer_bytes(job)
    wide = (3 * text.intermediate_size + 4 * text.hidden_size) * number
    chunk = min(tokens * text.vocab_size, LOGITS_AT_ONCE)
    lines = [
        *gathered(job, min(parts.all, LIVE_NUMBERS)),
        *kept_activations(job, tokens, job.pass_images),
        MemoryItem("a layer's gradients in flight", f"{tokens:,} × {wide:,} B", tokens * wide),
        MemoryItem("a chunk of logits", f"{chunk:,} × {LOGIT_BYTES} B", chunk * LOGIT_BYTES),
    ]
    if job.gradient_checkpointing:
        patches = job.pass_images * count_patches(job.policy, job.image_size)
        block = vision_block_bytes(job) if job.train_vision else 0
        count, size = max((tokens, layer), (patches, block), key=lambda pair: pair[0] * pair[1])
        lines.append(MemoryItem("a layer computed again", f"{count:,} × {size:,} B", count * size))
        if not job.cuda:
            groups = groups_bytes(job, tokens)
            lines.append(MemoryItem("its responses apart from prompts", f"{groups:,} B", groups))
    if not job.adapter:
        head = text.vocab_size * text.hidden_size
        lines.append(
            MemoryItem(
                "the head's gradient, summed over chunks",
                f"{head:,} × {2 * number} B",
                head * 2 * number,
            )
        )
    return lines
