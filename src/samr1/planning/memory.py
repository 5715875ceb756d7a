"""What one training process needs of its GPU's memory, as sums of products of sizes.

Formulas were read off the code that allocates: DeepSpeed 0.19.8 (`runtime/zero`, `runtime/fp16`),
whose gradients are accumulated in the weights' own format, as nothing else is configured;
`transformers`' Qwen2.5-VL, for what a layer keeps for its backward pass; torch's AdamW. Responses
count at their limit, so it is the most that a step can need. The prompt is prefilled once a
question, and its keys and values are then repeated for each response.
"""

from __future__ import annotations

from dataclasses import dataclass

from samr1.planning.activations import backward, gathered
from samr1.planning.job import Job, MemoryItem, total
from samr1.planning.parameters import (
    count_parts,
    count_patches,
    key_value_width,
    text_of,
    vision_of,
)
from samr1.segmenter.segmenter import EMBEDDED_TOGETHER
from samr1.train.engine import reduction_bucket

# Tokens of the prompt beside the image's: the longest dialect's template takes 160, a question 20.
PROMPT_TEXT_TOKENS = 200
SUB_GROUP = 1e9  # DeepSpeed's default (zero/config.py), in numbers
# An image in SAM 2's encoder: 1 GB at 1024×1024 with 144 channels in the first stage.
EMBEDDING_BYTES = 1e9 / (1024**2 * 144)
# A mask is decoded over the whole embedding, repeated for each prompt: 0.1 GB at 1024×1024; and
# brought to the original's size (float32, and two of bool): COCO's images have 640×480 pixels.
PROMPT_BYTES, ORIGINAL_PIXELS = 1e8 / 1024**2, 640 * 480
# Not tensors: CUDA's context, the libraries' workspaces, the communication's buffers. Measured
# nowhere here; as others report it for one process with NCCL.
CONTEXT_BYTES = 2e9
HOST_BYTES = 5e9  # Python, torch, CUDA's and DeepSpeed's libraries: assumed
# What the allocator cannot use between tensors: a share of all tensors. An assumption.
FRAGMENTATION = 0.05


@dataclass(frozen=True)
class Memory:
    """What is there all the time, and what each phase of a step adds while it lasts."""

    states: list[MemoryItem]
    phases: dict[str, list[MemoryItem]]
    cuda: bool

    @property
    def peak_phase(self) -> str:
        return max(self.phases, key=lambda name: total(self.phases[name]))

    @property
    def tensors(self) -> float:
        """Bytes of all tensors at the peak."""
        return total(self.states) + total(self.phases[self.peak_phase])

    @property
    def allowances(self) -> list[MemoryItem]:
        """What is beside the tensors, on a GPU."""
        if not self.cuda:
            return []
        lost = FRAGMENTATION * self.tensors
        return [
            MemoryItem("context and communication", "assumed", CONTEXT_BYTES),
            MemoryItem(
                "fragmentation", f"{FRAGMENTATION:.0%} of {self.tensors / 1e9:.1f} GB", lost
            ),
        ]

    @property
    def needed(self) -> float:
        """Bytes in all at the peak, with the allowances."""
        return self.tensors + total(self.allowances)


def plan_memory(job: Job) -> Memory:
    """The memory of one process of `job`, by what needs it."""
    phases = {
        "rollout": _rollout(job),
        "reward": _reward(job),
        "forward and backward": _gradients(job, passing=True) + _bucket(job) + backward(job),
        "optimiser step": _gradients(job, passing=False) + _step(job),
    }
    # Without a GPU the host's memory is the one that all of it comes from.
    return Memory(states(job) + ([] if job.cuda else offloaded(job)), phases, job.cuda)


def states(job: Job) -> list[MemoryItem]:
    """Weights, master weights, moments, reference and segmenter, where they are not offloaded."""
    number, weights = job.number_bytes, count_parts(job.policy).all
    own, trained = _share(job), f"{job.trainable:,}"
    held = weights + job.trainable if job.adapter else weights
    split = job.processes if job.zero_stage == 3 else 1
    # In float32 stages 0 and 3 train the weights themselves; 1 and 2 train a copy of their part.
    master = number == 2 or job.zero_stage in (1, 2)
    lines = [
        MemoryItem("policy weights", f"{held:,} × {number} B" + _by(split), held * number / split)
    ]
    if not job.adapter:
        lines.append(MemoryItem("reference weights", f"{weights:,} × {number} B", weights * number))
    if master and not job.offload:
        lines.append(MemoryItem("float32 master weights", f"{trained} × 4 B" + own[1], 4 * own[0]))
    if not job.offload:
        lines.append(MemoryItem("AdamW's two moments", f"{trained} × 8 B" + own[1], 8 * own[0]))
    if job.zero_stage == 3 and not job.offload:
        gradients = f"{trained} × {number} B" + own[1]
        lines.append(MemoryItem("gradients", gradients, number * own[0]))
    if job.zero_stage == 3:
        lines.append(_bucket_line(job))
    sam = job.segmenter.weights
    lines.append(MemoryItem("segmenter weights", f"{sam // 4:,} × 4 B", sam))
    return lines


def offloaded(job: Job) -> list[MemoryItem]:
    """AdamW's states of one process in the host's memory, with what DeepSpeed keeps beside them.

    Masters are copies even in float32. Stages 2 and 3 sum the gradients of an update's passes
    there, in the weights' format, and all have them in float32 for the step. Through a buffer in
    the weights' format the new ones of stages 1 and 2 go to the GPU.
    """
    if not job.offload:
        return []
    number, (part, by) = job.number_bytes, _share(job)
    sizes = {
        "float32 master weights": 4,
        "AdamW's two moments": 8,
        "gradients in float32": 4,
    }
    if job.zero_stage > 1:
        sizes["gradients, summed"] = number
    if job.zero_stage < 3:
        sizes["weights on their way back"] = number
    return [
        MemoryItem(f"{what}, offloaded", f"{job.trainable:,} × {size} B{by}", part * size)
        for what, size in sizes.items()
    ]


def plan_host(job: Job) -> list[MemoryItem]:
    """The host's memory of one process with a GPU: while a model is loaded, and AdamW's states.

    Policy and reference are loaded one after the other and moved to the GPU.
    """
    weights, number = count_parts(job.policy).all, job.number_bytes
    images = job.questions * (job.image_size**2 * 3 + ORIGINAL_PIXELS * 4)
    patches = count_patches(job.policy, job.image_size) * job.questions * 3
    vision = vision_of(job.policy)
    pixels = patches * vision.temporal_patch_size * vision.patch_size**2 * 4
    return [
        MemoryItem("interpreter and libraries", "assumed", HOST_BYTES),
        MemoryItem("a model on its way", f"{weights:,} × {number} B", weights * number),
        MemoryItem(
            "images and patches, 3 steps ahead",
            f"3 × {(images + pixels) / 1e6:,.0f} MB",
            3 * (images + pixels),
        ),
        *(offloaded(job) if job.cuda else []),
    ]


def _share(job: Job) -> tuple[float, str]:
    """The trained numbers whose optimiser states a process holds, and how to write the division."""
    split = job.processes if job.zero_stage else 1
    return job.trainable / split, _by(split)


def _by(split: int) -> str:
    return f" / {split}" if split > 1 else ""


def _gradients(job: Job, passing: bool) -> list[MemoryItem]:
    """Gradients of an update, in the weights' format; stage 3's are states.

    While a pass is `passing`, stage 2 holds its part of the sum of the earlier ones and of the new.
    Offloaded, it sends each away as it comes, by way of a buffer for the largest.
    """
    if job.zero_stage == 3:
        return []
    number, split = job.number_bytes, job.processes if job.zero_stage == 2 else 1
    if job.zero_stage == 2 and job.offload:
        largest = 0 if job.adapter else count_parts(job.policy).embedding
        words = f"{largest:,} × {number} B × 2"
        return [MemoryItem("the largest gradient on its way", words, 2 * largest * number)]
    twice = passing and job.zero_stage == 2 and job.passes > 1
    words = f"{job.trainable:,} × {number} B{_by(split)}" + " × 2 (summed and new)" * twice
    return [MemoryItem("gradients", words, (1 + twice) * job.trainable * number / split)]


def _bucket(job: Job) -> list[MemoryItem]:
    """Where gradients are collected to be summed over the processes; stage 3's is a state."""
    if job.zero_stage in (0, 3):
        return []
    return [_bucket_line(job)]


def _bucket_line(job: Job) -> MemoryItem:
    numbers, number = reduction_bucket(job.trainable), job.number_bytes
    return MemoryItem("reduction bucket", f"{numbers:,} × {number} B", numbers * number)


def _step(job: Job) -> list[MemoryItem]:
    """What the optimiser step needs beside states and gradients."""
    if job.offload:
        return []  # the host's
    number, (part, by) = job.number_bytes, _share(job)
    sizes = f"{job.trainable:,}{by}"
    if job.zero_stage == 3 and part > SUB_GROUP:
        part, sizes = SUB_GROUP, f"{SUB_GROUP:,.0f} at a time"
    lines = []
    if job.zero_stage:
        lines.append(MemoryItem("gradients, flattened", f"{sizes} × {number} B", part * number))
    if number == 2:
        lines.append(MemoryItem("gradients in float32", f"{sizes} × 4 B", part * 4))
    return [*lines, MemoryItem("AdamW's square roots", f"{sizes} × 4 B", part * 4)]


def _rollout(job: Job) -> list[MemoryItem]:
    text, number = text_of(job.policy), job.number_bytes
    token = 2 * text.num_hidden_layers * key_value_width(job.policy) * number
    prompts = job.questions * job.prompt_tokens
    rows = job.questions * job.group_size
    kept, responses = rows * job.prompt_tokens, rows * job.response_tokens
    wide = (3 * text.intermediate_size + 4 * text.hidden_size) * number
    patches = job.questions * count_patches(job.policy, job.image_size)
    vision = vision_of(job.policy)
    block = (3 * vision.intermediate_size + 4 * vision.hidden_size) * number
    return [
        *gathered(job, count_parts(job.policy).all),
        MemoryItem("keys and values, prompts", f"{kept:,} tokens × {token:,} B", kept * token),
        MemoryItem(
            "keys and values, responses", f"{responses:,} tokens × {token:,} B", responses * token
        ),
        # One after the other, so the larger.
        max(
            MemoryItem("a layer over the prompts", f"{prompts:,} × {wide:,} B", prompts * wide),
            MemoryItem("a block over the images", f"{patches:,} × {block:,} B", patches * block),
            key=lambda line: line.bytes,
        ),
        MemoryItem(
            "next-token tables", f"{rows} × {text.vocab_size:,} × 32 B", rows * text.vocab_size * 32
        ),
    ]


def _reward(job: Job) -> list[MemoryItem]:
    side, images = job.segmenter_size, min(EMBEDDED_TOGETHER, job.questions)
    image = EMBEDDING_BYTES * side**2 * job.segmenter.channels
    prompt, mask = PROMPT_BYTES * side**2, ORIGINAL_PIXELS * 6
    return [
        MemoryItem(
            "segmenter: images embedded", f"{images} × {image / 1e9:.2g} GB", images * image
        ),
        MemoryItem(
            "segmenter: masks of a group",
            f"{job.group_size} × ({prompt / 1e6:.3g} + {mask / 1e6:.3g} MB)",
            job.group_size * (prompt + mask),
        ),
    ]
