"""What is run and what the paper runs, as the plan counts it; and the rates that were measured."""

from __future__ import annotations

import time
import traceback
from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from samr1.core.errors import UserError
from samr1.gpu.findings import Findings, at_most, found, not_measured
from samr1.gpu.models import resized
from samr1.gpu.run import Outcome, Report
from samr1.gpu.setting import Setting, check_size, make_setting, train_stage
from samr1.planning.fit import change_stage
from samr1.planning.hours import plan_step
from samr1.planning.job import Job, total
from samr1.planning.memory import plan_memory
from samr1.planning.parameters import SegmenterSize, count_parts, text_of
from samr1.planning.rates import GPUS, MEASURABLE, Gpu, calculated, with_measured

STEP_SECONDS = 110  # of a GPU, for a step by the 7B
_QUESTIONS, _PROCESSES = 16, 8  # of a step
_PROMPT, _RESPONSE = 1100, 1024  # tokens: a prompt of the paper's, and the limit of a response
_ROOM = 0.85  # of the card: context, fragments, and what the plan may be wrong by
_PHASES = ("forward and backward", "optimiser step")

# Rate of the plan -> the figure that tells it, and the one in the other's unit.
_FIGURES: dict[str, tuple[str, Callable[[float], float]]] = {
    "operations": ("update.operations", lambda tera: tera * 1e12),
    "decoding": ("decoding.captured.bytes", lambda giga: giga * 1e9),
    "optimizer": ("update.optimizer_bytes", lambda giga: giga * 1e9),
    "image": ("segmenter.tf32.images", lambda rate: 1 / rate),
    "prompt": ("segmenter.tf32.prompts", lambda rate: 1 / rate),
}


def plan_job(setting: Setting, layers: int, prompt: int) -> Job:
    """A training of the widths with so many `layers`, on one process and without a segmenter."""
    config = resized(setting.policy, layers)
    parts = count_parts(config)
    return Job(
        stage=train_stage(setting, setting.tokens),
        policy=config,
        parts=parts,
        trainable=parts.all,
        segmenter=SegmenterSize(0, 1),
        prompt_tokens=prompt,
        processes=1,
        cuda=setting.cuda,
    )


def planned_bytes(job: Job) -> float:
    """Of all tensors at the peak of an update, by the plan."""
    memory = plan_memory(job)
    return total(memory.states) + max(total(memory.phases[name]) for name in _PHASES)


def choose_job(setting: Setting, prompt: int) -> Job:
    """The job with the most layers that the card can train; raises UserError where it has none."""
    most = text_of(setting.policy).num_hidden_layers
    if not setting.cuda:
        return plan_job(setting, most, prompt)
    room = _ROOM * torch.cuda.get_device_properties(setting.device).total_memory
    fitting = bisect(
        range(1, most + 1), room, key=lambda k: planned_bytes(plan_job(setting, k, prompt))
    )
    if fitting:
        return plan_job(setting, fitting, prompt)
    needed = planned_bytes(plan_job(setting, 1, prompt)) / 1e9
    raise UserError(
        f"training one layer of the published widths takes {needed:.1f} GB by the plan, and "
        f"{room / 1e9:.1f} GB of this card may be planned with."
    )


def measured_rates(figures: Mapping[str, Any]) -> dict[str, float]:
    """The plan's rates that are among the `figures` (key -> value)."""
    return {
        name: convert(figures[key])
        for name, (key, convert) in _FIGURES.items()
        if isinstance(figures.get(key), float)
    }


def sheet_of(card: str) -> Gpu:
    """The data sheet of the card of that name; of one that is not known, the H100's."""
    return next((gpu for name, gpu in GPUS.items() if name in card.lower()), GPUS["h100"])


def compare_rates(report: Report) -> Outcome:
    """The last stage, and the rates that the plan can take from the report, which it gets."""
    outcome = Outcome("rates", "What the plan should assume", "done")
    begin = time.monotonic()
    setting = make_setting(report.size, check_size(report.size))
    values = measured_rates(report.figures()) if setting.cuda and report.size != "tiny" else {}
    if values:
        report.rates = {"card": report.card, "values": values}
    try:
        outcome.findings.extend(look(setting, report.card, values))
    except Exception as error:  # as any other stage's: the page says it
        outcome.state, outcome.reason = "failed", str(error)
        outcome.traceback = traceback.format_exc()
    outcome.seconds = time.monotonic() - begin
    return outcome


def look(setting: Setting, card: str, values: Mapping[str, float]) -> Findings:
    """What the plan assumes beside what was measured, and a whole step extrapolated from that."""
    assumed = calculated(sheet_of(card))
    rates = with_measured(assumed, card, values)
    for name in MEASURABLE:
        (said, before, _), (_, after, _) = (
            one.by_name[name].describe() for one in (assumed, rates)
        )
        what = f"{said} ({name})"
        note = f"the plan assumes {before} of an {assumed.gpu}"
        if name in values:
            yield found(f"rates.{name}", what, after, note=note)
        else:
            yield not_measured(f"rates.{name}", what, f"not measured: {note}")
    what = f"a step of {_QUESTIONS} × {setting.group_size}, extrapolated"
    if missing := sorted({*MEASURABLE} - {*values}):
        why = f"not measured, for want of {', '.join(missing)}"
        yield at_most("rates.step", what, None, STEP_SECONDS, "GPU-seconds", why)
        return
    phases = plan_step(paper_job(setting), rates)
    seconds = _PROCESSES * sum(phase.amount for phase in phases)
    parts = ", ".join(f"{phase.what} {_PROCESSES * phase.amount:.1f}" for phase in phases)
    note = (
        f"the plan's arithmetic for {_PROCESSES} GPUs with the rates above; what goes between the "
        f"GPUs is calculated: {parts}"
    )
    yield at_most("rates.step", what, seconds, STEP_SECONDS, "GPU-seconds", note)


def paper_job(setting: Setting) -> Job:
    """One of the processes of the paper's training, whole."""
    whole = plan_job(setting, text_of(setting.policy).num_hidden_layers, _PROMPT)
    settings = {"train.questions_per_step": _QUESTIONS, "train.max_response_tokens": _RESPONSE}
    return replace(whole, stage=change_stage(whole.stage, settings), processes=_PROCESSES)
