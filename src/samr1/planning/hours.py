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
from samr1.planning.rates import Rates
from samr1.planning.splits import Split
from samr1.planning.work import decoding_bytes, forward, text_forward, vision_forward

# Of a policy's answers, which no check of a GPU can tell.
RESPONSE_TOKENS = 200  # a thought, a box and a point: 100 to 300
LONGEST_OVER_MEAN = 2.0  # a rollout lasts as long as its longest response

ASSUMPTIONS = [
    ("mean response", f"{RESPONSE_TOKENS} tokens", "assumed: thought, box and point: 100 to 300"),
    ("longest of a rollout", f"{LONGEST_OVER_MEAN:g} × the mean", "assumed: it lasts as long"),
]


def plan_hours(
    experiment: Experiment,
    planned: JobList,
    jobs: Mapping[str, Job],
    splits: Mapping[str, Split],
    rates: Rates,
    gpus: int,
) -> list[Estimate]:
    """GPU hours of each run's trainings, whose `jobs` are by run, and of its evaluations.

    `splits` are the sizes of what is evaluated, as far as they are known. `gpus` are those of a
    job, each of which loads the models of its own.
    """
    trained = Counter(one.run for one in planned.trainings)
    evaluated = dict.fromkeys(one.run for one in planned.evaluations)
    return [
        *(_trainings(run, seeds, jobs[run], rates) for run, seeds in trained.items()),
        *(_evaluations(run, experiment, planned, splits, rates, gpus) for run in evaluated),
    ]


def _trainings(run: str, seeds: int, job: Job, rates: Rates) -> Estimate:
    train = job.train
    if train.steps is None and train.drawn_samples is None:
        words = "not counted: its data is not indexed yet, and it has no train.steps"
        return Estimate(f"train {run}", words, 0.0, rates.whole)
    step = total(plan_step(job, rates))
    steps = train.count_steps(train.drawn_samples or 0)
    gpus, start = f"{job.processes} GPU{'s' * (job.processes > 1)}", rates["load"]
    words = f"{seeds} × {gpus} × ({steps} × {step:.2f} s a step + {start:.0f} s to start)"
    seconds = seeds * job.processes * (steps * step + start)
    return Estimate(f"train {run}", words, seconds / 3600, rates.whole)


def _evaluations(
    run: str,
    experiment: Experiment,
    planned: JobList,
    splits: Mapping[str, Split],
    rates: Rates,
    gpus: int,
) -> Estimate:
    config = experiment.runs[run]
    job = describe_job(config.train_stage(), 1, True, evaluated=True)
    asked = [one for one in planned.evaluations if one.run == run]
    starts = len(asked)
    if experiment.evaluated_together == "run":
        starts = len({(one.seed, one.benchmark in experiment.own_data) for one in asked}) * gpus
    known = [splits[one.benchmark] for one in asked if one.benchmark in splits]
    slots = config.evaluation.batch_size
    seconds = sum(plan_answers(job, split, slots, rates) for split in known)
    questions = sum(split.samples for split in known)
    words = f"{questions:,} questions, {starts} start{'s' * (starts > 1)}"
    if len(known) < len(asked):
        words += "; its own data is not indexed yet and not counted"
    hours = (seconds + starts * rates["load"]) / 3600
    return Estimate(f"evaluate {run}", words, hours, rates.whole)


def plan_step(job: Job, rates: Rates) -> list[Estimate]:
    """The seconds of each phase of a training step; the processes work side by side."""
    train, length, patches = job.train, _mean_length(job), job.patches
    epochs, cuts = train.updates_per_rollout, train.updates_per_epoch
    updates = epochs * cuts
    once = job.questions * forward(job.policy, job.prompt_tokens, patches, train.group_size, length)
    prompts = job.questions * forward(job.policy, job.prompt_tokens, patches, 1, 1)
    # Backward twice the forward pass, or once where the weights have no gradient; and again forward
    # where activations are not kept.
    passes = 1 + (1 if job.adapter else 2) + (1 if train.gradient_checkpointing else 0)
    many = f"{updates} update{'s' * (updates > 1)}, {passes} forward passes' worth each"
    if cuts > 1:
        many += f" of {1 / cuts:.2g} of the questions"
    masks = f"{job.questions} images, {job.responses} prompts"
    seconds = job.questions * rates["image"] + job.responses * rates["prompt"]
    adam = 7 * 4 * job.trainable / (job.processes if train.zero_stage else 1)
    longest = min(round(length * LONGEST_OVER_MEAN), train.max_response_tokens)
    kept = 12 * job.trainable / train.checkpoint_steps
    sampling = [
        _computed("prompts and images", prompts, rates),
        _decoded(job, job.questions, train.group_size, longest, rates),
        Estimate("reward by SAM", masks, seconds, rates.basis("image", "prompt")),
    ]
    if train.filter_groups:
        most = train.filter_groups.max_num_gen_batches
        sampling = [
            replace(one, sum=f"{one.sum}, {most} times at most", amount=most * one.amount)
            for one in sampling
        ]
    # Of the questions that the first update does not take.
    later = _computed("old log-probabilities, later updates", once * (1 - 1 / cuts), rates)
    phases = [
        *sampling,
        _computed("reference", once, rates),
        *([later] if cuts > 1 else []),
        _computed(many, once * passes * epochs, rates),
        _moved("AdamW", adam * updates, "host" if train.offload_optimizer else "optimizer", rates),
        _moved("checkpoints, a step's share", kept, "disk", rates),
    ]
    if train.offload_optimizer:
        moved = _offloaded_bytes(job) * updates
        phases.append(_moved("to and from the host", moved, "host_link", rates))
    if job.processes > 1:
        phases.append(_moved("between the GPUs", _sent_bytes(job) * updates, "link", rates))
    return phases


def plan_answers(job: Job, split: Split, slots: int, rates: Rates) -> float:
    """Seconds of one GPU for a benchmark; an answer that ends makes room for the next at once."""
    together = min(slots, split.samples)
    steps = round(split.samples * _mean_length(job) / together)
    decoding = _decoded(job, together, 1, steps, rates).amount
    vision = split.images * vision_forward(job.policy, job.patches)
    text = split.samples * text_forward(job.policy, job.prompt_tokens, 1, 1)
    masks = split.images * rates["image"] + split.samples * rates["prompt"]
    # Masks are made while the next answers are decoded.
    return (vision + text) / rates["operations"] + max(decoding, masks)


def _computed(what: str, operations: float, rates: Rates) -> Estimate:
    words = f"{operations / 1e12:,.0f} TFLOP / {rates['operations'] / 1e12:,.0f} TFLOP/s"
    return Estimate(what, words, operations / rates["operations"], rates.basis("operations"))


def _moved(what: str, size: float, name: str, rates: Rates) -> Estimate:
    words = f"{size / 1e9:,.0f} GB / {rates[name] / 1e9:,.0f} GB/s"
    return Estimate(what, words, size / rates[name], rates.basis(name))


def _mean_length(job: Job) -> int:
    return min(RESPONSE_TOKENS, job.train.max_response_tokens)


def _decoded(job: Job, questions: int, group: int, steps: int, rates: Rates) -> Estimate:
    """Tokens drawn one after another, for all groups of the questions together."""
    length = _mean_length(job)
    read = decoding_bytes(
        job.policy, job.prompt_tokens, group, length, questions, job.number_bytes
    ) / max(length - 1, 1)
    token = read / rates["decoding"]
    words = f"{steps} tokens × {token * 1e3:.1f} ms, {read / 1e9:.1f} GB read"
    return Estimate("decoding", words, steps * token, rates.basis("decoding"))


def _sent_bytes(job: Job) -> float:
    """Bytes that a process sends in one update, a pass a question at most.

    Stage 2 and 3 sum the gradients in every pass, 0 and 1 once; all but 0 gather the weights after
    the step, and stage 3 before every forward and backward pass.
    """
    stage, passes = job.train.zero_stage, _expected_passes(job)
    size, weights = job.trainable * job.number_bytes, job.parts.all * job.number_bytes
    if stage < 2:
        return (2.0 + stage) * size
    return float(passes * size + (2 * passes * weights if stage == 3 else size))


def _offloaded_bytes(job: Job) -> float:
    """Bytes between a process and the host in one update.

    The gradients go there in float32 and the weights come back; from stage 2 on the sum of the
    gradients also comes and goes in every pass, and once more for the step.
    """
    sums = 2 * _expected_passes(job) + 1 if job.train.zero_stage > 1 else 0
    return (4 + (1 + sums) * job.number_bytes) * job.trainable / job.processes


def _expected_passes(job: Job) -> int:
    row = job.prompt_tokens + job.train.group_size * (_mean_length(job) - 1)
    return -(-job.update_questions * row // job.train.tokens_per_pass)
