"""Every stage on the CPU at tiny widths, and that what is wrong is found."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from decoding_world import Tape, three_questions
from plain_twins import early_stopper
from tiny import use_flex

from samr1.gpu.findings import NO_CUDA, Finding
from samr1.gpu.models import of_few_tokens, random_policy
from samr1.gpu.run import STAGES
from samr1.gpu.setting import Setting, make_setting
from samr1.gpu.stages import agreement, attention, decoding, machine
from samr1.policy.packed_rows import PackedRows
from samr1.rollout import logprobs
from samr1.rollout.decode import Draw, State
from samr1.rollout.runners import Captured, Eager
from samr1.rollout.sample import sample_groups
from samr1.rollout.slots import Slots

SEGMENTS = "expandable_segments:True"
MODULES = [stage.module for stage in STAGES]


def tiny() -> Setting:
    return make_setting("tiny", torch.device("cpu"))


@cache
def findings_of(module: str) -> dict[str, Finding]:
    found = list(importlib.import_module(module).look(tiny()))
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


@pytest.mark.parametrize("module", MODULES)
def test_a_cpu_misses_no_bar_and_says_what_it_cannot_measure(module: str) -> None:
    found = findings_of(module).values()
    assert found
    assert not [one for one in found if one.passed is False]
    assert all(one.note for one in found if one.value is None)


def test_every_bar_stands_on_the_page_of_a_cpu_too() -> None:
    bars = {
        key: one.bar for module in MODULES for key, one in findings_of(module).items() if one.bar
    }
    assert bars["attention.flex.further"] == "≤ 2"
    assert bars["agreement.k3"] == "≤ 0.001"
    assert bars["decoding.over.8"] == "≤ 1.5"
    assert bars["decoding.faster.8"] == "≥ 2.5"
    assert bars["update.share"] == "≥ 0.4"
    assert bars["update.memory"] == "≤ 0.1"
    assert findings_of("samr1.gpu.stages.update")["update.share"].note == NO_CUDA


def test_the_random_policy_is_as_sure_as_a_trained_one() -> None:
    found = findings_of("samr1.gpu.stages.agreement")
    assert 0.5 < float(found["agreement.entropy"].value or 0) < 1.0


def test_a_second_step_from_a_checkpoint_is_the_same() -> None:
    found = findings_of("samr1.gpu.stages.training")
    again = [found[f"training.{name}"] for name in ("loaded", "again_tokens", "again_weights")]
    assert [one.value for one in again] == [True, True, True]


@pytest.mark.parametrize("stage", ["agreement", "decoding", "segmenter"])
def test_a_stage_that_only_looks_keeps_nothing_for_a_backward_pass(stage: str) -> None:
    def refuse(_: torch.Tensor) -> None:
        raise AssertionError("it is kept for a backward pass that never comes")

    with torch.autograd.graph.saved_tensors_hooks(refuse, refuse):
        assert list(importlib.import_module(f"samr1.gpu.stages.{stage}").look(tiny()))


def test_another_temperature_in_the_packed_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def warmer(*values: Any, temperature: float, **options: Any) -> logprobs.ResponseLogprobs:
        return logprobs.response_logprobs(*values, temperature=1.2 * temperature, **options)

    monkeypatch.setattr(agreement, "response_logprobs", warmer)
    found = {one.key: one for one in agreement.look(tiny())}
    assert found["agreement.k3"].passed is False
    assert found["agreement.signed"].passed is False


def test_the_passes_are_compared_on_a_few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[int] = set()

    def noting(*values: Any, **options: Any) -> logprobs.ResponseLogprobs:
        said.update(token for group in values[2] for response in group for token in response)
        return logprobs.response_logprobs(*values, **options)

    monkeypatch.setattr(agreement, "response_logprobs", noting)
    assert list(agreement.look(tiny()))
    assert 1 < len(said) <= 8


def test_a_policy_of_few_tokens_is_as_sure_by_logits_that_scatter_less() -> None:
    setting = tiny()
    policy = random_policy(setting.policy, setting.device, setting.attention)
    head = policy.model.lm_head.weight
    before = float(head.detach().float().std())
    few = of_few_tokens(policy)
    assert len(set(range(len(head))) - set(few.blocked_token_ids)) == 8
    assert float(head.detach().float().std()) < 0.7 * before


class Played(Captured):
    """A captured runner on the CPU."""

    def __init__(self, draw: Draw, slots: Slots, state: State) -> None:
        super().__init__(draw, slots, state, Tape())


def shapes_of(runner: Any) -> list[tuple[int, int, int]]:
    """Steps, rows and places of each run, of responses of which some end early."""
    seen: list[tuple[int, int, int]] = []

    class Watched(runner):
        def run(self, steps: int, rows: int, places: int) -> None:
            seen.append((steps, rows, places))
            super().run(steps, rows, places)

    policy = early_stopper()
    sample_groups(
        policy,
        three_questions(policy),
        group_size=1,
        temperature=0.0,
        max_new_tokens=30,
        runner=Watched,
    )
    return seen


def test_what_is_captured_is_timed_with_its_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Setting, "cuda", True)
    monkeypatch.setattr(decoding, "Captured", Played)
    found = {one.key: one for one in decoding.look(tiny())}
    for key in ("captured.8", "recording.8", "captured.bytes", "over.8", "faster.8"):
        assert isinstance(found[f"decoding.{key}"].value, float)


@pytest.mark.parametrize(("asked", "passed"), [(SEGMENTS, True), ("", False)])
def test_the_allocator_has_the_settings_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: str, passed: bool
) -> None:
    before = torch._C._accelerator_getAllocatorSettings()
    torch._C._accelerator_setAllocatorSettings(SEGMENTS)
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", asked)
    found = machine.allocator(torch.device("cuda"))
    torch._C._accelerator_setAllocatorSettings(before)
    assert (found.passed, found.note) == (passed, SEGMENTS)


def test_what_a_capture_is_held_against_takes_the_same_shapes() -> None:
    assert shapes_of(agreement.Launched) == shapes_of(Played) != shapes_of(Eager)


def test_an_attention_that_sees_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first response's last token is taken for the second one's.
    monkeypatch.setattr(
        attention, "PackedRows", lambda owner: PackedRows(torch.where(owner == 2, 1, owner))
    )
    found = {one.key: one for one in attention.look(replace(tiny(), shapes=((2, 20, 3, 7),)))}
    assert found["attention.groups.0.forward"].passed is False
    assert found["attention.groups.0.backward"].passed is False


def test_flex_attention_is_held_to_the_same_dense_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    use_flex(monkeypatch)
    monkeypatch.setattr(Setting, "attention", "flex")
    monkeypatch.setattr(attention, "FURTHER", -1.0)
    found = {one.key: one for one in attention.look(replace(tiny(), shapes=((2, 20, 3, 7),)))}
    assert found["attention.flex.0.forward"].passed is True
    assert found["attention.flex.0.backward"].passed is True
    assert found["attention.flex.further"].value == found["attention.flex.0.first"].value
    assert found["attention.flex.further"].passed is False
