"""What a process that trains or evaluates needs of its GPU's memory, as sums of products of sizes.

Formulas were read off the code that allocates: DeepSpeed 0.19.8 (`runtime/zero`, `runtime/fp16`),
whose gradients are accumulated in the weights' own format, as nothing else is configured; torch's
AdamW. Responses count at their limit, so it is the most that a step can need.
"""

from __future__ import annotations

from dataclasses import dataclass

from samr1.config.schema import PredictConfig
from samr1.evaluation.responses import PROMPTS_TOGETHER
from samr1.planning.activations import computed_again, in_flight, kept_activations
from samr1.planning.job import Estimate, Job, times, total
from samr1.planning.parameters import key_value_width
from samr1.rollout.logprobs import LOGITS_AT_ONCE
from samr1.rollout.rows import count_places
from samr1.rollout.runners import choose_runner
from samr1.segmenter.answer_masks import PROMPTS_TOGETHER as MASKS_TOGETHER
from samr1.segmenter.segmenter import EMBEDDED_TOGETHER
from samr1.train.engine import reduction_bucket

# DeepSpeed's defaults (zero/config.py), in numbers: stage 3 steps over so many at a time, and has
# so many of the other processes' weights together at most.
SUB_GROUP = LIVE_NUMBERS = 10**9
# An image in SAM 2's encoder: 1 GB at 1024×1024 with 144 channels in the first stage.
EMBEDDING_BYTES = 1e9 / (1024**2 * 144)
# A mask is decoded over the whole embedding, repeated for each prompt: 0.1 GB at 1024×1024; and
# brought to the original's size (float32, and two of bool): COCO's images have 640×480 pixels.
PROMPT_BYTES, ORIGINAL_PIXELS = 1e8 / 1024**2, 640 * 480
# Not tensors: CUDA's context, the libraries' workspaces, the communication's buffers. Measured
# nowhere here; as others report it for one process with NCCL.
CONTEXT_BYTES = 2e9
# Python, torch, CUDA's and DeepSpeed's libraries, images on their way to the GPU: assumed.
HOST_BYTES = 5e9
# What the allocator cannot use between tensors: a share of all tensors. An assumption.
FRAGMENTATION = 0.05
# A number's bytes in a chunk of logits: logits, as float32, blocked and tempered, log-softmax, its
# gradient, and the entropy's two.
LOGIT_BYTES = 24


@dataclass(frozen=True)
class Memory:
    """What is there all the time, and what each phase of a step adds while it lasts."""

    states: list[Estimate]
    phases: dict[str, list[Estimate]]
    cuda: bool

    @property
    def peak_phase(self) -> str:
        return max(self.phases, key=lambda name: total(self.phases[name]))

    @property
    def tensors(self) -> float:
        """Bytes of all tensors at the peak."""
        return total(self.states) + total(self.phases[self.peak_phase])

    @property
    def allowances(self) -> list[Estimate]:
        """What is beside the tensors, on a GPU."""
        if not self.cuda:
            return []
        share = f"{FRAGMENTATION:.0%} of {self.tensors / 1e9:.1f} GB"
        return [
            Estimate("context and communication", "assumed", CONTEXT_BYTES),
            Estimate("fragmentation", share, FRAGMENTATION * self.tensors),
        ]

    @property
    def needed(self) -> float:
        """Bytes in all at the peak, with the allowances."""
        return self.tensors + total(self.allowances)


def plan_memory(job: Job) -> Memory:
    """The memory of one process of `job`, by what needs it."""
    bucket = [_bucket(job)] if job.train.zero_stage in (1, 2) else []
    phases = {
        "rollout": _rollout(job),
        "reward": _reward(job),
        "forward and backward": _gradients(job) + bucket + _backward(job),
        "optimiser step": _step(job),
    }
    # Without a GPU the host's memory is the one that all of it comes from.
    return Memory(_states(job) + ([] if job.cuda else _offloaded(job)), phases, job.cuda)


def plan_evaluation(job: Job, evaluation: PredictConfig) -> Memory:
    """The memory of one process that evaluates the policy of `job`, all its slots taken.

    Masks are made while the next answers are decoded: an image's together, of all questions about
    it and all objects that an answer lists, as many as are taken at once.
    """
    slots, prompts = evaluation.batch_size, min(evaluation.batch_size, PROMPTS_TOGETHER)
    decoding = _decoding(job, slots, prompts, evaluation.max_response_tokens)
    weights = times("policy weights", job.parts.all, job.number_bytes)
    states = [weights, _segmenter_weights(job)]
    masks = _segmenting(job, EMBEDDED_TOGETHER, MASKS_TOGETHER)
    return Memory(states, {"evaluation": decoding + masks}, job.cuda)


def plan_host(job: Job) -> list[Estimate]:
    """The host's memory of one process with a GPU: while a model is loaded, and AdamW's states.

    Policy and reference are loaded one after the other and moved to the GPU.
    """
    return [
        Estimate("interpreter and libraries", "assumed", HOST_BYTES),
        times("a model on its way", job.parts.all, job.number_bytes),
        *(_offloaded(job) if job.cuda else []),
    ]


def _states(job: Job) -> list[Estimate]:
    """Weights, master weights, moments, reference and segmenter, where they are not offloaded."""
    number, stage, shared = job.number_bytes, job.train.zero_stage, _shared(job)
    held = job.parts.all + (job.trainable if job.adapter else 0)
    items = [times("policy weights", held, number, by=job.processes if stage == 3 else 1)]
    if not job.adapter:
        items.append(times("reference weights", job.parts.all, number))
    if not job.train.offload_optimizer:
        # In float32 stage 0 trains the weights themselves, the others a copy of their part.
        if number == 2 or stage:
            items.append(times("float32 master weights", job.trainable, 4, by=shared))
        items.append(times("AdamW's two moments", job.trainable, 8, by=shared))
        if stage == 3:
            items.append(times("gradients", job.trainable, number, by=shared))
    if stage == 3:
        items.append(_bucket(job))
    return [*items, _segmenter_weights(job)]


def _segmenter_weights(job: Job) -> Estimate:
    return times("segmenter weights", job.segmenter.weights // 4, 4)


def _offloaded(job: Job) -> list[Estimate]:
    """AdamW's states of one process in the host's memory, with what DeepSpeed keeps beside them.

    Masters are copies even in float32. Stages 2 and 3 sum the gradients of an update's passes
    there, in the weights' format, and all have them in float32 for the step. Through a buffer in
    the weights' format the new ones of stages 1 and 2 go to the GPU.
    """
    if not job.train.offload_optimizer:
        return []
    sizes = {"float32 master weights": 4, "AdamW's two moments": 8, "gradients in float32": 4}
    if job.train.zero_stage > 1:
        sizes["gradients, summed"] = job.number_bytes
    if job.train.zero_stage < 3:
        sizes["weights on their way back"] = job.number_bytes
    return [
        times(f"{what}, offloaded", job.trainable, size, by=_shared(job))
        for what, size in sizes.items()
    ]


def _shared(job: Job) -> int:
    """By how many processes the optimiser's states are shared."""
    return job.processes if job.train.zero_stage else 1


def _gradients(job: Job) -> list[Estimate]:
    """Gradients of an update, in the weights' format; stage 3's are states.

    In a pass stage 2 holds its part of the sum of the earlier ones and of the new. Offloaded, it
    sends each away as it comes, by way of a buffer for the largest.
    """
    stage = job.train.zero_stage
    if stage == 3:
        return []
    if stage == 2 and job.train.offload_optimizer:
        largest = 0 if job.adapter else job.parts.embedding
        return [times("the largest gradient on its way", 2, largest, job.number_bytes)]
    shared = job.processes if stage == 2 else 1
    summed = ((2, "(summed and new)"),) * (stage == 2 and job.passes > 1)
    return [times("gradients", *summed, job.trainable, job.number_bytes, by=shared)]


def _bucket(job: Job) -> Estimate:
    """Where gradients are collected to be summed over the processes; stage 3's is a state."""
    return times("reduction bucket", reduction_bucket(job.trainable), job.number_bytes)


def _step(job: Job) -> list[Estimate]:
    """What the optimiser step needs beside the states.

    Stages 1 and 2 let go of the gradients before AdamW takes its square roots, which fill the room
    that the gradients and their flattened copy had.
    """
    stage = job.train.zero_stage
    if job.train.offload_optimizer:
        return _gradients(job)  # the rest is the host's
    numbers, shared = job.trainable, _shared(job)
    if stage == 3 and numbers / shared > SUB_GROUP:
        numbers, shared = SUB_GROUP, 1  # at a time
    items = [] if stage else _gradients(job)
    items.append(times("AdamW's square roots", numbers, 4, by=shared))
    if stage or job.number_bytes == 2:
        items.append(times("gradients in float32", numbers, 4, by=shared))
    return items


def _rollout(job: Job) -> list[Estimate]:
    limit = job.train.max_response_tokens
    decoding = _decoding(job, job.responses, job.questions, limit)
    return [*_gathered(job, job.parts.all), *decoding]


def _decoding(job: Job, rows: int, prompts: int, limit: int) -> list[Estimate]:
    """Keys and values of `rows` responses in slots of one length, each with its own prompt's, and
    what running so many `prompts` together adds."""
    places = count_places(job.prompt_tokens, limit, choose_runner(job.cuda).grain)
    token = 2 * job.text.num_hidden_layers * key_value_width(job.policy) * job.number_bytes
    block = (3 * job.vision.intermediate_size + 4 * job.vision.hidden_size) * job.number_bytes
    layers = [
        times("a layer over the prompts", prompts * job.prompt_tokens, in_flight(job)),
        times("a block over the images", prompts * job.patches, block),
    ]
    return [
        times("keys and values", (rows, "rows"), (places, "tokens"), token),
        max(layers, key=lambda item: item.amount),  # one after the other
        times("next-token tables", rows, job.text.vocab_size, 32),
    ]


def _reward(job: Job) -> list[Estimate]:
    return _segmenting(job, min(EMBEDDED_TOGETHER, job.questions), job.train.group_size)


def _segmenting(job: Job, images: int, masks: int) -> list[Estimate]:
    side = job.stage.segmenter.image_size
    image = EMBEDDING_BYTES * side**2 * job.segmenter.channels
    mask = PROMPT_BYTES * side**2 + ORIGINAL_PIXELS * 6
    return [
        times("segmenter: images embedded", images, image),
        times("segmenter: masks together", masks, mask),
    ]


def _gathered(job: Job, numbers: int) -> list[Estimate]:
    """Weights that stage 3 brings together for a while."""
    if job.train.zero_stage < 3 or job.processes == 1:
        return []
    return [times("weights brought together", numbers, job.number_bytes)]


def _backward(job: Job) -> list[Estimate]:
    """What a forward and a backward pass of the largest size add to states and gradients."""
    tokens, vocabulary = job.pass_tokens, job.text.vocab_size
    items = [
        *_gathered(job, min(job.parts.all, LIVE_NUMBERS)),
        *kept_activations(job, tokens, job.pass_images),
        times("a layer's gradients in flight", tokens, in_flight(job)),
        times("a chunk of logits", min(tokens * vocabulary, LOGITS_AT_ONCE), LOGIT_BYTES),
        *computed_again(job),
    ]
    if not job.adapter:
        head = vocabulary * job.text.hidden_size
        items.append(times("the head's gradient, summed over chunks", head, 2 * job.number_bytes))
    return items
