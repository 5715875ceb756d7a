"""The hours that training and evaluation take on a named GPU: work over rates.

The work is counted (`samr1.planning.work`); the rates are assumed or measured
(`samr1.planning.rates`). Responses count at an assumed mean length, unlike in the plan of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from samr1.planning.job import Job
from samr1.planning.parameters import count_parts, count_patches, text_of
from samr1.planning.rates import Rates
from samr1.planning.work import count_step, decoding_bytes, text_forward, vision_forward

# Of a policy's answers, which no check of a GPU can tell.
RESPONSE_TOKENS = 200  # a thought, a box and a point: 100 to 300
LONGEST_OVER_MEAN = 2.0  # decoding lasts as long as the step's longest response

ASSUMPTIONS = [
    (
        "mean response",
        f"{RESPONSE_TOKENS} tokens",
        "assumed: thought, box and point take 100 to 300",
    ),
    ("longest of a batch", f"{LONGEST_OVER_MEAN:g} × the mean", "assumed: decoding lasts as long"),
]


@dataclass(frozen=True)
class Phase:
    """Seconds of one part of a step, how they were calculated, and from what kind of rates."""

    what: str
    sum: str
    seconds: float
    basis: str


def _computed(what: str, operations: float, rates: Rates) -> Phase:
    words = f"{operations / 1e12:,.0f} TFLOP / {rates.operations / 1e12:,.0f} TFLOP/s"
    return Phase(what, words, operations / rates.operations, rates.basis("operations"))


def _decoded(job: Job, group: int, length: int, rates: Rates) -> Phase:
    """Tokens drawn one after another, by a batch of all of the process's questions."""
    steps = min(round(length * LONGEST_OVER_MEAN), job.response_tokens)
    read = decoding_bytes(
        job.policy, job.prompt_tokens, group, length, job.questions, job.number_bytes
    ) / max(length - 1, 1)
    token, names = read / rates.decoding, ["decoding"]
    words = f"{steps} tokens × {token * 1e3:.1f} ms, {read / 1e9:.1f} GB read"
    if job.zero_stage == 3:  # elsewhere a graph of the whole step is replayed
        layers, names = text_of(job.policy).num_hidden_layers, [*names, "launch"]
        token = max(token, layers * rates.launch)
        words += f", or {layers} layers launched"
    return Phase("decoding", words, steps * token, rates.basis(*names))


def plan_step(job: Job, updates: int, rates: Rates) -> list[Phase]:
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
    masks = job.questions * (rates.image + job.group_size * rates.prompt)
    of_sam = rates.basis("image", "prompt")
    answers = job.questions * job.group_size
    phases = [
        _computed("prompts and images", job.questions * _prompt_forward(job), rates),
        _decoded(job, job.group_size, length, rates),
        Phase("reward by SAM", f"{job.questions} images, {answers} prompts", masks, of_sam),
        _computed("reference", job.questions * work.reference, rates),
        _computed(
            f"{updates} update{'s' * (updates > 1)}, {passes} forward passes' worth each",
            job.questions * work.reference * passes * updates,
            rates,
        ),
        _moved("AdamW", adam, "host" if job.offload else "optimizer", rates),
    ]
    kept = 12 * job.trainable / job.checkpoint_steps
    phases.append(_moved("checkpoints, a step's share", kept, "disk", rates))
    if job.offload:
        offloaded = _offloaded_bytes(job) * updates
        phases.append(_moved("to and from the host", offloaded, "host_link", rates))
    if moved:
        phases.append(_moved("between the GPUs", moved, "link", rates))
    return phases


def _moved(what: str, size: float, name: str, rates: Rates) -> Phase:
    rate: float = getattr(rates, name)
    words = f"{size / 1e9:,.0f} GB / {rate / 1e9:,.0f} GB/s"
    return Phase(what, words, size / rate, rates.basis(name))


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


def plan_evaluation(job: Job, samples: int, images: int, batch_size: int, rates: Rates) -> float:
    """Seconds of one GPU for one run on one benchmark."""
    batch = replace(job, questions=min(batch_size, samples))
    length = min(RESPONSE_TOKENS, job.response_tokens)
    decoding = _decoded(batch, 1, length, rates).seconds * -(-samples // batch_size)
    vision = images * vision_forward(job.policy, count_patches(job.policy, job.image_size))
    text = samples * text_forward(job.policy, job.prompt_tokens, 1, 1)
    computing = _computed("", vision + text, rates).seconds
    masks = images * rates.image + samples * rates.prompt
    # Masks are made while the next batch is decoded.
    return rates.load + computing + max(decoding, masks)
