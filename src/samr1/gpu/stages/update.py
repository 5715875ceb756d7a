"""Reference and update over packed rows: tokens a second, share of the rate, memory by the plan.

The reference is the whole policy. What is trained has fewer layers of the same widths, as many as
the plan says the card holds with its reference, masters and moments; the published vocabulary and
the whole vision tower are there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from samr1.core.device import make_deterministic
from samr1.gpu.findings import NO_CUDA, Findings, at_least, at_most, found, not_measured
from samr1.gpu.models import draw_questions, random_policy
from samr1.gpu.plans import choose_job, planned_bytes
from samr1.gpu.setting import Setting, train_stage
from samr1.gpu.timing import matrix_rate, median_seconds, release, seconds_of
from samr1.planning.parameters import count_parts, count_patches, text_of
from samr1.planning.work import forward
from samr1.policy.families import QwenConfig
from samr1.policy.model import Policy
from samr1.rollout.logprobs import response_logprobs_in_passes
from samr1.rollout.packing import packed_length
from samr1.rollout.sample import Group
from samr1.train.engine import Engine, join_processes
from samr1.train.step import Rollout, plan_updates, score_reference, update

SHARE = 0.4  # of the measured matrix product
OFF_PLAN = 0.1
_OPTIMIZER_BYTES = 7 * 4  # AdamW reads weight, gradient and two moments, and writes all but one
_PASSES = 4  # forward, forward again, and backward at twice its work
_FIRST_WORD = 100  # special tokens and single bytes have smaller ids


def look(setting: Setting) -> Findings:
    """The reference by the whole policy, then updates by DeepSpeed."""
    join_processes(tf32=True)
    make_deterministic()  # as training does
    policy = random_policy(setting.policy, setting.device, setting.attention)
    rollout = make_rollout(setting, policy)
    yield from _reference(setting, policy, rollout)
    del policy
    release(setting.device)
    yield from _update(setting, rollout)


def make_rollout(setting: Setting, policy: Policy) -> Rollout:
    """Questions with responses of random words, all as long as they may be."""
    words = [setting.prompt_words] * setting.questions
    questions = draw_questions(policy, setting.image_size, words)
    shape = (len(questions), setting.group_size, setting.tokens)
    torch.manual_seed(0)
    tokens = torch.randint(_FIRST_WORD, len(policy.tokenizer), shape).tolist()
    logprobs = list(torch.zeros(shape[1:]))
    cut = [True] * setting.group_size
    return Rollout(questions, [Group(group, logprobs, cut) for group in tokens], [], None)


def _operations(setting: Setting, config: QwenConfig, rollout: Rollout) -> float:
    """Of one forward pass of `config` over the rollout."""
    prompt = len(rollout.questions[0].input_ids)
    patches = count_patches(config, setting.image_size)
    once = forward(config, prompt, patches, setting.group_size, setting.tokens)
    return len(rollout.questions) * once


def _count_tokens(rollout: Rollout) -> int:
    pairs = zip(rollout.questions, rollout.responses, strict=True)
    return sum(packed_length(question, responses) for question, responses in pairs)


def _reference(setting: Setting, policy: Policy, rollout: Rollout) -> Findings:
    train = train_stage(setting, setting.tokens).train

    def score() -> Tensor:
        return response_logprobs_in_passes(
            policy.model,
            rollout.questions,
            rollout.responses,
            temperature=train.temperature,
            blocked_token_ids=policy.blocked_token_ids,
            tokens_per_pass=train.tokens_per_pass,
        )

    first = seconds_of(score, setting.device)
    yield found("reference.first", "reference: the first pass, compiling", first, "s")
    seconds = median_seconds(score, setting.device, setting.repeats)
    tokens, layers = _count_tokens(rollout), text_of(setting.policy).num_hidden_layers
    yield found(
        "reference.tokens",
        "reference: packed tokens",
        tokens / seconds,
        "tokens/s",
        f"{layers} layers, {tokens:,} tokens and {setting.questions} images a pass",
    )
    operations = _operations(setting, setting.policy, rollout)
    yield from _shares(setting, "reference", operations / seconds)


def _shares(setting: Setting, key: str, rate: float) -> Findings:
    """A rate in operations a second, and its share of the measured matrix product."""
    yield found(f"{key}.operations", f"{key}: operations", rate / 1e12, "TFLOP/s")
    share = rate / matrix_rate(setting.device) if setting.cuda else None
    what = f"{key}: share of the measured matrix product"
    if key == "update":
        yield at_least(f"{key}.share", what, share, SHARE)
    elif share is not None:
        yield found(f"{key}.share", what, share)


def _update(setting: Setting, rollout: Rollout) -> Findings:
    job = choose_job(setting, len(rollout.questions[0].input_ids))
    stage = train_stage(setting, setting.tokens)
    policy, initial = (
        random_policy(job.policy, setting.device, setting.attention) for _ in range(2)
    )
    initial.model.requires_grad_(False)
    engine = Engine(policy, stage)
    reference = score_reference(initial, engine, rollout, stage)
    questions = len(rollout.questions)
    advantages = torch.linspace(-1, 1, setting.group_size).repeat(questions, 1)
    (passes,) = plan_updates(engine, rollout, questions, False, stage)
    once_each = stage.train.model_copy(update={"updates_per_rollout": 1})
    stage = stage.model_copy(update={"train": once_each})

    def take(times: int) -> None:
        rate = stage.train.learning_rate
        # No first step: these responses come from no rollout that could be compared.
        update(engine, rollout, reference, advantages, [passes * times], rate, 1, stage)

    first = seconds_of(lambda: take(1), setting.device)
    yield found("update.first", "update: the first one, compiling", first, "s")
    release(setting.device)
    once = median_seconds(lambda: take(1), setting.device, setting.repeats)
    yield from _memory(setting, planned_bytes(job))
    # Three times the passes and the same step: what is left is two times the passes.
    seconds = (median_seconds(lambda: take(3), setting.device, setting.repeats) - once) / 2
    tokens, layers = _count_tokens(rollout), text_of(job.policy).num_hidden_layers
    yield found(
        "update.tokens",
        "update: packed tokens, forward and backward",
        tokens / seconds,
        "tokens/s",
        f"{layers} layers, {count_parts(job.policy).all:,} weights; layers are computed "
        "a second time in the backward pass, and that work counts",
    )
    operations = _PASSES * _operations(setting, job.policy, rollout)
    yield from _shares(setting, "update", operations / seconds)
    yield from _optimizer(setting, once - seconds, job.trainable)


def _optimizer(setting: Setting, seconds: float, trainable: int) -> Findings:
    what = "optimiser step"
    if not setting.cuda or seconds <= 0:
        why = "less than what the passes scatter by" if setting.cuda else NO_CUDA
        yield not_measured("update.optimizer", what, why)
        return
    yield found("update.optimizer", what, seconds * 1e3, "ms")
    rate = _OPTIMIZER_BYTES * trainable / seconds / 1e9
    yield found("update.optimizer_bytes", f"{what}: bytes AdamW must move", rate, "GB/s")


def _memory(setting: Setting, planned: float) -> Findings:
    off, note = None, ""
    if setting.cuda:
        peak = torch.cuda.max_memory_allocated(setting.device)
        off = abs(peak / planned - 1)
        note = f"measured {peak / 1e9:.2f} GB, planned {planned / 1e9:.2f} GB"
    yield at_most("update.memory", "peak memory off the plan's figure", off, OFF_PLAN, note=note)
