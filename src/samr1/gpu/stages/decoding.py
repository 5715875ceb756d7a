"""Milliseconds a token: launched kernel by kernel, and captured in a CUDA graph and replayed.

Beside it the time that reading the weights, the keys and the values takes at the rate of a large
copy: a token cannot be had for less.
"""

from __future__ import annotations

from functools import partial

import torch

from samr1.gpu.findings import Findings, at_least, at_most, found, not_measured
from samr1.gpu.models import draw_questions, random_policy
from samr1.gpu.setting import Setting
from samr1.gpu.timing import copy_rate, median_seconds, release, seconds_of
from samr1.planning.parameters import key_value_width, text_of
from samr1.planning.work import decoding_bytes, text_weights
from samr1.policy.model import Policy
from samr1.rollout.decode import Sampling
from samr1.rollout.inputs import encode_images
from samr1.rollout.rows import Rows
from samr1.rollout.runners import Captured, Eager, Runner

OVER_READING = 1.5  # captured, at the fewest rows
FASTER = 2.5  # than kernel by kernel, there
_STEPS = 24  # timed together
_WARM = 2  # times as many before
_BYTES = 2  # of a number


def look(setting: Setting) -> Findings:
    """Both ways at every number of rows."""
    policy = random_policy(setting.policy, setting.device, setting.attention)
    bandwidth = copy_rate(setting.device)
    yield found("decoding.copy", "copy in memory", bandwidth / 1e9, "GB/s")
    for rows in setting.rows:
        yield from _measure(setting, policy, rows, bandwidth)
        release(setting.device)


def _measure(setting: Setting, policy: Policy, rows: int, bandwidth: float) -> Findings:
    judged = rows == setting.rows[0]
    launched, _, prompt, limit = _seconds(setting, policy, rows, Eager)
    name = f"{rows} rows"
    yield found(f"decoding.eager.{rows}", f"{name}: kernel by kernel", launched * 1e3, "ms a token")
    length = prompt + limit // 2
    read = _bytes_read(setting, rows, length)
    floor = read / bandwidth
    note = f"{read / 1e9:.3g} GB: weights once, and {length:,} tokens of each row"
    yield found(f"decoding.floor.{rows}", f"{name}: bytes ÷ bandwidth", floor * 1e3, "ms", note)
    if judged:
        layer = launched * 1e3 / text_of(setting.policy).num_hidden_layers
        yield found("decoding.eager.layer", "a layer, kernel by kernel", layer, "ms")
    what = f"{name}: captured"
    captured = None
    if setting.cuda:
        release(setting.device)
        captured, recording, *_ = _seconds(setting, policy, rows, Captured)
        yield found(f"decoding.captured.{rows}", what, captured * 1e3, "ms a token")
        note = "once a shape in each rollout: a step launched, and recorded"
        yield found(f"decoding.recording.{rows}", f"{name}: recording", recording, "s", note)
        if judged:
            group = setting.group_size
            planned = decoding_bytes(setting.policy, prompt, group, limit, rows // group, _BYTES)
            rate = planned / (limit - 1) / captured / 1e9
            note = "as the plan counts them: a prompt's keys and values once for its group"
            yield found("decoding.captured.bytes", f"{what}: bytes read", rate, "GB/s", note)
    else:
        yield not_measured(f"decoding.captured.{rows}", what)
        yield not_measured(f"decoding.recording.{rows}", f"{name}: recording")
    over = captured and captured / floor
    faster = captured and launched / captured
    over_what, faster_what = f"{what} ÷ (bytes ÷ bandwidth)", f"{name}: kernel by kernel ÷ captured"
    if judged:
        yield at_most(f"decoding.over.{rows}", over_what, over, OVER_READING)
        yield at_least(f"decoding.faster.{rows}", faster_what, faster, FASTER)
    else:
        yield found(f"decoding.over.{rows}", over_what, over)
        yield found(f"decoding.faster.{rows}", faster_what, faster)


@torch.no_grad()
def _seconds(
    setting: Setting, policy: Policy, rows: int, runner: type[Runner]
) -> tuple[float, float, int, int]:
    """Seconds of a step over `rows` rows, and what the first took more; tokens of a prompt, and
    the most of a response.
    """
    count = rows // setting.group_size
    words = [setting.prompt_words] * count
    questions = draw_questions(policy, setting.image_size, words)
    prompt = len(questions[0].input_ids)
    limit = 2 + _STEPS * (_WARM + setting.repeats)
    slots = Rows(policy, rows, prompt, Sampling(1.0, 1.0, limit), runner)
    owners = [[(q, g) for g in range(setting.group_size)] for q in range(count)]
    slots.fill(questions, encode_images(policy.model, questions), owners, owners)
    work = partial(slots.runner.run, _STEPS, rows, slots.slots.places)
    first = seconds_of(work, setting.device)
    seconds = median_seconds(work, setting.device, setting.repeats, warm=_WARM - 1)
    return seconds / _STEPS, first - seconds, prompt, limit


def _bytes_read(setting: Setting, rows: int, length: int) -> float:
    """Of the weights that every token is multiplied with, and of each row's keys and values."""
    config, text = setting.policy, text_of(setting.policy)
    weights = text_weights(config) + text.vocab_size * text.hidden_size
    token = 2 * key_value_width(config) * text.num_hidden_layers
    return float(_BYTES * (weights + rows * length * token))
