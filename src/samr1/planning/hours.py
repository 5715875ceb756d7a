"""The hours that training and evaluation take on a named GPU: work over rates.

The work is counted (`samr1.planning.work`); the rates are assumed or measured
(`samr1.planning.rates`). Responses count at an assumed mean length, unlike in the plan of memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from samr1.config.jobs import JobList
from samr1.config.merge import Experiment
from samr1.planning.job import Estimate, Job, describe_job, total
from samr1.planning.parameters import count_patches, text_of
from samr1.planning.rates import Rates
from samr1.planning.splits import Split, find_split
from samr1.planning.work import decoding_bytes, forward, text_forward, vision_forward
from samr1.train.batches import count_steps

# Of a policy's answers, which no check of a GPU can tell.
RESPONSE_TOKENS = 200  # a thought, a box and a point: 100 to 300
LONGEST_OVER_MEAN = 2.0  # decoding lasts as long as the step's longest response

ASSUMPTIONS = [
    ("mean response", f"{RESPONSE_TOKENS} tokens", "assumed: thought, box and point: 100 to 300"),
    ("longest of a batch", f"{LONGEST_OVER_MEAN:g} × the mean", "assumed: decoding lasts as long"),
]


def plan_hours(
    experiment: Experiment, planned: JobList, jobs: Mapping[str, Job], rates: Rates
) -> list[Estimate]:
    """GPU hours of each run's trainings, whose `jobs` are by run, and of its evaluations."""
    hours = []
    for name, seeds in Counter(one.run for one in planned.trainings).items():
        job, train = jobs[name], experiment.runs[name].train
        step = total(plan_step(job, rates))
        steps = count_steps(train.drawn_samples, train)
        words = f"{seeds} × {job.processes} GPUs × ({steps} steps × {step:.0f} s + start)"
        seconds = seeds * job.processes * (steps * step + rates.load)
        hours.append(Estimate(f"train {name}", words, seconds / 3600, rates.whole))
    for name in dict.fromkeys(one.run for one in planned.evaluations):
        run = experiment.runs[name]
        job = describe_job(run.train_stage(), 1, True, evaluated=True)
        names = [one.benchmark for one in planned.evaluations if one.run == name]
        splits = [find_split(experiment.benchmarks[one], experiment.data.world) for one in names]
        batch = run.evaluation.batch_size
        seconds = sum(plan_evaluation(job, split, batch, rates) for split in splits)
        words = f"{sum(split.samples for split in splits):,} questions"
        hours.append(Estimate(f"evaluate {name}", words, seconds / 3600, rates.whole))
    return hours


def plan_step(job: Job, rates: Rates) -> list[Estimate]:
    """The seconds of each phase of a training step; the processes work side by side."""
    length = min(RESPONSE_TOKENS, job.response_tokens)
    patches = count_patches(job.policy, job.image_size)
    once = job.questions * forward(job.policy, job.prompt_tokens, patches, job.group_size, length)
    prompts = job.questions * forward(job.policy, job.prompt_tokens, patches, 1, 1)
    # Backward twice the forward pass, or once where the weights have no gradient; and again forward
    # where activations are not kept.
    passes = 1 + (1 if job.adapter else 2) + (1 if job.gradient_checkpointing else 0)
    updates = job.epochs * job.updates
    many = f"{updates} update{'s' * (updates > 1)}, {passes} forward passes' worth each"
    if job.updates > 1:
        many += f" of {1 / job.updates:.2g} of the questions"
    later = 1 - 1 / job.updates  # the share of the questions that the first update does not take
    masks = f"{job.questions} images, {job.questions * job.group_size} prompts"
    seconds = job.questions * (rates.image + job.group_size * rates.prompt)
    adam = 7 * 4 * job.trainable / (job.processes if job.zero_stage else 1)
    sampling = [
        _computed("prompts and images", prompts, rates),
        _decoded(job, job.group_size, length, rates),
        Estimate("reward by SAM", masks, seconds, rates.basis("image", "prompt")),
    ]
    if (most := job.generations) > 1:
        sampling = [
            replace(one, sum=f"{one.sum}, {most} times at most", amount=most * one.amount)
            for one in sampling
        ]
    phases = [
        *sampling,
        _computed("reference", once, rates),
        *(
            [_computed("old log-probabilities, later updates", once * later, rates)]
            if later
            else []
        ),
        _computed(many, once * passes * job.epochs, rates),
        _moved("AdamW", adam * updates, "host" if job.offload else "optimizer", rates),
        _moved(
            "checkpoints, a step's share", 12 * job.trainable / job.checkpoint_steps, "disk", rates
        ),
    ]
    if job.offload:
        phases.append(
            _moved("to and from the host", _offloaded_bytes(job) * updates, "host_link", rates)
        )
    if job.processes > 1:
        phases.append(_moved("between the GPUs", _sent_bytes(job) * updates, "link", rates))
    return phases


def plan_evaluation(job: Job, split: Split, batch_size: int, rates: Rates) -> float:
    """Seconds of one GPU for one run on one benchmark."""
    batch = replace(job, questions=min(batch_size, split.samples))
    length = min(RESPONSE_TOKENS, job.response_tokens)
    decoding = _decoded(batch, 1, length, rates).amount * -(-split.samples // batch_size)
    vision = split.images * vision_forward(job.policy, count_patches(job.policy, job.image_size))
    text = split.samples * text_forward(job.policy, job.prompt_tokens, 1, 1)
    masks = split.images * rates.image + split.samples * rates.prompt
    # Masks are made while the next batch is decoded.
    return rates.load + (vision + text) / rates.operations + max(decoding, masks)


def _computed(what: str, operations: float, rates: Rates) -> Estimate:
    words = f"{operations / 1e12:,.0f} TFLOP / {rates.operations / 1e12:,.0f} TFLOP/s"
    return Estimate(what, words, operations / rates.operations, rates.basis("operations"))


def _moved(what: str, size: float, name: str, rates: Rates) -> Estimate:
    rate: float = getattr(rates, name)
    words = f"{size / 1e9:,.0f} GB / {rate / 1e9:,.0f} GB/s"
    return Estimate(what, words, size / rate, rates.basis(name))


def _decoded(job: Job, group: int, length: int, rates: Rates) -> Estimate:
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
    return Estimate("decoding", words, steps * token, rates.basis(*names))


def _sent_bytes(job: Job) -> float:
    """Bytes that a process sends in one update, a pass a question at most.

    Stage 2 and 3 sum the gradients in every pass, 0 and 1 once; all but 0 gather the weights after
    the step, and stage 3 before every forward and backward pass.
    """
    size, passes = job.trainable * job.number_bytes, _expected_passes(job)
    if job.zero_stage < 2:
        return (2.0 + job.zero_stage) * size
    gathered = 2 * passes * job.parts.all * job.number_bytes if job.zero_stage == 3 else size
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
    return -(-job.update_questions * row // max(job.tokens_per_pass, 1))
