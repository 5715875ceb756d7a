"""The hours that training and evaluation take on a named GPU: work over rates, and what is assumed.

The work is counted (`samr1.planning.work`); the rates are the data sheets', times the share of them
that is reached, which is an assumption until somebody has run the paper's scale. Responses count at
an assumed mean length, unlike in the plan of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from samr1.planning.job import Job
from samr1.planning.parameters import count_parts, count_patches, text_of
from samr1.planning.work import count_step, decoding_bytes, text_forward, vision_forward


@dataclass(frozen=True)
class Gpu:
    """Dense bfloat16 operations and bytes of memory a second, bytes to others, GB of memory."""

    name: str
    operations: float
    bandwidth: float
    link: float
    gigabytes: float


# NVIDIA's data sheets: dense bfloat16, memory, NVLink or PCIe in one direction.
GPUS = {
    "a100": Gpu("A100 SXM 80 GB", 312e12, 2.039e12, 300e9, 80),
    "h100": Gpu("H100 SXM 80 GB", 989e12, 3.35e12, 450e9, 80),
    "a6000": Gpu("RTX A6000 48 GB", 155e12, 0.768e12, 32e9, 48),
    "l40s": Gpu("L40S 48 GB", 362e12, 0.864e12, 32e9, 48),
}

# Assumptions; `ASSUMPTIONS` says them to the reader of a plan.
RESPONSE_TOKENS = 200  # a thought, a box and a point: 100 to 300
LONGEST_OVER_MEAN = 2.0  # decoding lasts as long as the step's longest response
COMPUTE_SHARE = 0.35  # of the operations: forward and backward, plain torch kernels
MEMORY_SHARE = 0.7  # of the bandwidth: weights read for every token, AdamW
LINK_SHARE = 0.5  # of the link: gradients summed, weights gathered
HOST_BANDWIDTH = 50e9  # bytes a second that AdamW reads and writes where it is offloaded
HOST_LINK = 32e9  # bytes a second to or from the host, times the link's share: PCIe 4
SECONDS_PER_LAYER = 0.8e-3  # a layer of one decoding step, launched kernel by kernel from Python
SECONDS_PER_EMBEDDING = 0.12  # SAM 2 Large at 1024×1024 in float32, an image
SECONDS_PER_MASK = 0.01  # a prompt, and its mask at the original's size
SECONDS_TO_LOAD = 180.0  # models from the disk to the GPU, once a job

ASSUMPTIONS = [
    ("mean response", f"{RESPONSE_TOKENS} tokens", "thought, box and point take 100 to 300"),
    ("longest of a batch", f"{LONGEST_OVER_MEAN:g} × the mean", "decoding lasts as long"),
    ("operations reached", f"{COMPUTE_SHARE:.0%}", "plain torch kernels; not measured here"),
    ("bandwidth reached", f"{MEMORY_SHARE:.0%}", "not measured here"),
    ("link reached", f"{LINK_SHARE:.0%}", "not measured here"),
    ("host's memory", f"{HOST_BANDWIDTH / 1e9:g} GB/s", "AdamW where it is offloaded"),
    ("host's link", f"{HOST_LINK / 1e9:g} GB/s", "PCIe 4; of which the link's share"),
    ("a layer, a decoding step", f"{SECONDS_PER_LAYER * 1e3:g} ms", "launched one by one"),
    ("SAM: an image", f"{SECONDS_PER_EMBEDDING:g} s", "Large, 1024×1024, float32"),
    ("SAM: a prompt", f"{SECONDS_PER_MASK:g} s", "mask at the original's size"),
    ("a job's start", f"{SECONDS_TO_LOAD:g} s", "models from disk"),
]


@dataclass(frozen=True)
class Phase:
    """Seconds of one part of a step, and how they were calculated."""

    what: str
    sum: str
    seconds: float


def _computed(what: str, operations: float, gpu: Gpu) -> Phase:
    rate = gpu.operations * COMPUTE_SHARE
    words = f"{operations / 1e12:,.0f} TFLOP / {rate / 1e12:,.0f} TFLOP/s"
    return Phase(what, words, operations / rate)


def _decoded(job: Job, group: int, length: int, gpu: Gpu) -> Phase:
    """Tokens drawn one after another, by a batch of all of the process's questions."""
    steps = min(round(length * LONGEST_OVER_MEAN), job.response_tokens)
    read = decoding_bytes(
        job.policy, job.prompt_tokens, group, length, job.questions, job.number_bytes
    ) / max(length - 1, 1)
    layers = text_of(job.policy).num_hidden_layers
    reading = read / (gpu.bandwidth * MEMORY_SHARE)
    token = max(reading, layers * SECONDS_PER_LAYER)
    words = f"{steps} tokens × max({reading * 1e3:.1f} ms read, {layers} layers launched)"
    return Phase("decoding", words, steps * token)


def plan_step(job: Job, updates: int, gpu: Gpu) -> list[Phase]:
    """The phases of one training step of one process; the processes work side by side."""
    length = min(RESPONSE_TOKENS, job.response_tokens)
    patches = count_patches(job.policy, job.image_size)
    work = count_step(job.policy, job.prompt_tokens, patches, job.group_size, length, updates)
    # Backward twice the forward pass, or once where the weights have no gradient; and again forward
    # where activations are not kept.
    passes = 1 + (1 if job.adapter else 2) + (1 if job.gradient_checkpointing else 0)
    split = job.processes if job.zero_stage else 1
    adam = 7 * 4 * job.trainable / split * updates
    moved = _moved_bytes(job) * updates
    masks = job.questions * (SECONDS_PER_EMBEDDING + job.group_size * SECONDS_PER_MASK)
    answers = job.questions * job.group_size
    phases = [
        _computed("prompts and images", job.questions * _prompt_forward(job), gpu),
        _decoded(job, job.group_size, length, gpu),
        Phase("reward by SAM", f"{job.questions} images, {answers} prompts", masks),
        _computed("reference", job.questions * work.reference, gpu),
        _computed(
            f"{updates} update{'s' * (updates > 1)}, {passes} forward passes' worth each",
            job.questions * work.reference * passes * updates,
            gpu,
        ),
        _moved("AdamW", adam, HOST_BANDWIDTH if job.offload else gpu.bandwidth * MEMORY_SHARE),
    ]
    if job.offload:
        offloaded = _offloaded_bytes(job) * updates
        phases.append(_moved("to and from the host", offloaded, HOST_LINK * LINK_SHARE))
    if moved:
        phases.append(_moved("between the GPUs", moved, gpu.link * LINK_SHARE))
    return phases


def _moved(what: str, size: float, rate: float) -> Phase:
    return Phase(what, f"{size / 1e9:,.0f} GB / {rate / 1e9:,.0f} GB/s", size / rate)


def _prompt_forward(job: Job) -> float:
    images = vision_forward(job.policy, count_patches(job.policy, job.image_size))
    return images + text_forward(job.policy, job.prompt_tokens, 1, 1)


def _moved_bytes(job: Job) -> float:
    """Bytes that a process sends in one update, a pass a question at most.

    Stage 2 and 3 sum the gradients in every pass, 0 and 1 once; all but 0 gather the weights after
    the step, and stage 3 before every forward and backward pass.
    """
    if job.processes == 1:
        return 0.0
    size, passes = job.trainable * job.number_bytes, _expected_passes(job)
    if job.zero_stage == 0:
        return 2.0 * size
    if job.zero_stage == 1:
        return 3.0 * size
    weights = count_parts(job.policy).all * job.number_bytes
    gathered = 2 * passes * weights if job.zero_stage == 3 else size
    return float(passes * size + gathered)


def _offloaded_bytes(job: Job) -> float:
    """Bytes between a process and the host in one update.

    The gradients go there in float32 and the weights come back; from stage 2 on the sum of the
    gradients also comes and goes in every pass, and once more for the step.
    """
    sums = 2 * _expected_passes(job) + 1 if job.zero_stage > 1 else 0
    return (4 + (1 + sums) * job.number_bytes) * job.trainable / job.processes


def _expected_passes(job: Job) -> int:
    length = min(RESPONSE_TOKENS, job.response_tokens)
    row = job.prompt_tokens + job.group_size * (length - 1)
    return -(-job.questions * row // max(job.tokens_per_pass, 1))


def plan_evaluation(job: Job, samples: int, images: int, batch_size: int, gpu: Gpu) -> float:
    """Seconds of one GPU for one run on one benchmark."""
    batch = replace(job, questions=min(batch_size, samples))
    length = min(RESPONSE_TOKENS, job.response_tokens)
    decoding = _decoded(batch, 1, length, gpu).seconds * -(-samples // batch_size)
    vision = images * vision_forward(job.policy, count_patches(job.policy, job.image_size))
    text = samples * text_forward(job.policy, job.prompt_tokens, 1, 1)
    computing = _computed("", vision + text, gpu).seconds
    masks = images * SECONDS_PER_EMBEDDING + samples * SECONDS_PER_MASK
    # Masks are made while the next batch is decoded.
    return SECONDS_TO_LOAD + computing + max(decoding, masks)
