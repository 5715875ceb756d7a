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
from samr1.planning.job import Job, MemoryItem, times, total
from samr1.planning.parameters import count_patches, key_value_width, text_of, vision_of
from samr1.segmenter.segmenter import EMBEDDED_TOGETHER
from samr1.train.engine import reduction_bucket

SUB_GROUP = 10**9  # DeepSpeed's default (zero/config.py), in numbers
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
        share = f"{FRAGMENTATION:.0%} of {self.tensors / 1e9:.1f} GB"
        return [
            MemoryItem("context and communication", "assumed", CONTEXT_BYTES),
            MemoryItem("fragmentation", share, FRAGMENTATION * self.tensors),
        ]

    @property
    def needed(self) -> float:
        """Bytes in all at the peak, with the allowances."""
        return self.tensors + total(self.allowances)


def plan_memory(job: Job) -> Memory:
    """The memory of one process of `job`, by what needs it."""
    bucket = [_bucket(job)] if job.zero_stage in (1, 2) else []
    phases = {
        "rollout": _rollout(job),
        "reward": _reward(job),
        "forward and backward": _gradients(job, passing=True) + bucket + backward(job),
        "optimiser step": _gradients(job, passing=False) + _step(job),
    }
    # Without a GPU the host's memory is the one that all of it comes from.
    return Memory(states(job) + ([] if job.cuda else offloaded(job)), phases, job.cuda)


def states(job: Job) -> list[MemoryItem]:
    """Weights, master weights, moments, reference and segmenter, where they are not offloaded."""
    number, weights, shared = job.number_bytes, job.parts.all, _shared(job)
    held = weights + job.trainable if job.adapter else weights
    items = [times("policy weights", held, number, by=job.processes if job.zero_stage == 3 else 1)]
    if not job.adapter:
        items.append(times("reference weights", weights, number))
    if not job.offload:
        # In float32 stages 0 and 3 train the weights themselves; 1 and 2 a copy of their part.
        if number == 2 or job.zero_stage in (1, 2):
            items.append(times("float32 master weights", job.trainable, 4, by=shared))
        items.append(times("AdamW's two moments", job.trainable, 8, by=shared))
        if job.zero_stage == 3:
            items.append(times("gradients", job.trainable, number, by=shared))
    if job.zero_stage == 3:
        items.append(_bucket(job))
    return [*items, times("segmenter weights", job.segmenter.weights // 4, 4)]


def offloaded(job: Job) -> list[MemoryItem]:
    """AdamW's states of one process in the host's memory, with what DeepSpeed keeps beside them.

    Masters are copies even in float32. Stages 2 and 3 sum the gradients of an update's passes
    there, in the weights' format, and all have them in float32 for the step. Through a buffer in
    the weights' format the new ones of stages 1 and 2 go to the GPU.
    """
    if not job.offload:
        return []
    sizes = {"float32 master weights": 4, "AdamW's two moments": 8, "gradients in float32": 4}
    if job.zero_stage > 1:
        sizes["gradients, summed"] = job.number_bytes
    if job.zero_stage < 3:
        sizes["weights on their way back"] = job.number_bytes
    return [
        times(f"{what}, offloaded", job.trainable, size, by=_shared(job))
        for what, size in sizes.items()
    ]


def plan_host(job: Job) -> list[MemoryItem]:
    """The host's memory of one process with a GPU: while a model is loaded, and AdamW's states.

    Policy and reference are loaded one after the other and moved to the GPU.
    """
    vision = vision_of(job.policy)
    patches = count_patches(job.policy, job.image_size)
    pixels = patches * 3 * vision.temporal_patch_size * vision.patch_size**2 * 4
    ahead = job.questions * (job.image_size**2 * 3 + ORIGINAL_PIXELS * 4 + pixels)
    return [
        MemoryItem("interpreter and libraries", "assumed", HOST_BYTES),
        times("a model on its way", job.parts.all, job.number_bytes),
        MemoryItem("images and patches, 3 steps ahead", f"3 × {ahead / 1e6:,.0f} MB", 3.0 * ahead),
        *(offloaded(job) if job.cuda else []),
    ]


def _shared(job: Job) -> int:
    """By how many processes the optimiser's states are shared."""
    return job.processes if job.zero_stage else 1


def _gradients(job: Job, passing: bool) -> list[MemoryItem]:
    """Gradients of an update, in the weights' format; stage 3's are states.

    While a pass is `passing`, stage 2 holds its part of the sum of the earlier ones and of the new.
    Offloaded, it sends each away as it comes, by way of a buffer for the largest.
    """
    if job.zero_stage == 3:
        return []
    if job.zero_stage == 2 and job.offload:
        largest = 0 if job.adapter else job.parts.embedding
        return [times("the largest gradient on its way", 2, largest, job.number_bytes)]
    shared = job.processes if job.zero_stage == 2 else 1
    summed = ((2, "(summed and new)"),) * (passing and job.zero_stage == 2 and job.passes > 1)
    return [times("gradients", *summed, job.trainable, job.number_bytes, by=shared)]


def _bucket(job: Job) -> MemoryItem:
    """Where gradients are collected to be summed over the processes; stage 3's is a state."""
    return times("reduction bucket", reduction_bucket(job.trainable), job.number_bytes)


def _step(job: Job) -> list[MemoryItem]:
    """What the optimiser step needs beside states and gradients."""
    if job.offload:
        return []  # the host's
    numbers, shared = job.trainable, _shared(job)
    if job.zero_stage == 3 and numbers / shared > SUB_GROUP:
        numbers, shared = SUB_GROUP, 1  # at a time
    items = [times("AdamW's square roots", numbers, 4, by=shared)]
    if job.zero_stage:
        items.append(times("gradients, flattened", numbers, job.number_bytes, by=shared))
    if job.number_bytes == 2:
        items.append(times("gradients in float32", numbers, 4, by=shared))
    return items


def _rollout(job: Job) -> list[MemoryItem]:
    text, vision, number = text_of(job.policy), vision_of(job.policy), job.number_bytes
    token = 2 * text.num_hidden_layers * key_value_width(job.policy) * number
    rows, prompts = job.questions * job.group_size, job.questions * job.prompt_tokens
    wide = (3 * text.intermediate_size + 4 * text.hidden_size) * number
    patches = job.questions * count_patches(job.policy, job.image_size)
    block = (3 * vision.intermediate_size + 4 * vision.hidden_size) * number
    layers = [
        times("a layer over the prompts", prompts, wide),
        times("a block over the images", patches, block),
    ]
    return [
        *gathered(job, job.parts.all),
        times("keys and values, prompts", (rows * job.prompt_tokens, "tokens"), token),
        times("keys and values, responses", (rows * job.response_tokens, "tokens"), token),
        max(layers, key=lambda item: item.bytes),  # one after the other
        times("next-token tables", rows, text.vocab_size, 32),
    ]


def _reward(job: Job) -> list[MemoryItem]:
    side, images = job.segmenter_size, min(EMBEDDED_TOGETHER, job.questions)
    image = EMBEDDING_BYTES * side**2 * job.segmenter.channels
    mask = PROMPT_BYTES * side**2 + ORIGINAL_PIXELS * 6
    return [
        times("segmenter: images embedded", images, image),
        times("segmenter: masks of a group", job.group_size, mask),
    ]
