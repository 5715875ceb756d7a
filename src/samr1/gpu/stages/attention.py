"""Attention over packed rows: FlexAttention and the two-call form, each against a dense mask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from samr1.config.names import PackedAttention
from samr1.gpu.findings import (
    NO_CUDA,
    Finding,
    Findings,
    at_most,
    found,
    holds,
    not_measured,
)
from samr1.gpu.setting import Setting
from samr1.gpu.timing import median_seconds, release, synchronize
from samr1.planning.parameters import text_of
from samr1.policy.attention import attend
from samr1.policy.packed_rows import PackedRows

# Of the largest value: float32 in another order of summation.
LIMIT = 1e-5
# Seconds: compiling takes some thirty, and a training's passes are of every length.
FURTHER = 2.0

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
Tensors = tuple[Tensor, Tensor, Tensor]
_NAMES = {"groups": "two calls", "flex": "FlexAttention"}


def look(setting: Setting) -> Findings:
    """Forward and backward in float32 against a dense mask; twice for equal bytes; seconds."""
    torch.set_float32_matmul_precision("highest")
    compiled = setting.attention == "flex"
    if not compiled:
        why = "no C compiler: cannot be compiled" if setting.cuda else NO_CUDA
        yield not_measured("attention.flex", "FlexAttention, compiled", why)
        yield _further(None, why)
    for number, shape in enumerate(setting.shapes):
        owner = owners(*shape, setting.device)
        what = "{}×({}+{}×{})".format(*shape)
        random = _random(setting, owner, torch.float32)
        dense = _passes(partial(_dense, owner=owner), random, owner)
        for kind, attention in _forms(owner, compiled).items():
            key, name = f"attention.{kind}.{number}", f"{_NAMES[kind]}, {what}"
            further = kind == "flex" and shape == setting.shapes[-1]
            yield from _against(key, name, attention, random, owner, dense, further)
        del random, dense
        release(setting.device)
        if number == 0 and setting.cuda:
            yield from _speed(setting, owner, compiled)


def owners(rows: int, prompt: int, group: int, length: int, device: torch.device) -> Tensor:
    """Whose each token of `rows` packed rows is: prompt, then `group` responses of `length`."""
    owner = [0] * prompt + [index + 1 for index in range(group) for _ in range(length)]
    table = torch.tensor(owner, device=device).repeat(rows, 1)
    table[1:, -(length // 2) :] = -1  # the other rows are shorter
    return table


def _forms(owner: Tensor, compiled: bool) -> dict[str, Attention]:
    """How the rows can be attended here, by the names of the findings."""
    forms: dict[str, PackedAttention] = {"groups": "two_calls"}
    forms |= {"flex": "flex"} if compiled else {}
    rows = PackedRows(owner)
    return {kind: partial(_packed, rows=rows, form=form) for kind, form in forms.items()}


def _random(setting: Setting, owner: Tensor, dtype: torch.dtype) -> Tensors:
    """Queries, keys and values of one layer of the policy."""
    text = text_of(setting.policy)
    size = text.hidden_size // text.num_attention_heads
    torch.manual_seed(0)

    def draw(heads: int) -> Tensor:
        shape = (owner.shape[0], heads, owner.shape[1], size)
        return torch.randn(shape, device=setting.device).to(dtype).requires_grad_()

    heads, shared = text.num_attention_heads, text.num_key_value_heads
    return draw(heads), draw(shared), draw(shared)


def _dense(query: Tensor, key: Tensor, value: Tensor, owner: Tensor) -> Tensor:
    """Plain softmax over all pairs of tokens: [B, L, H, D]."""
    times = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(times, dim=1) for one in (key, value))
    place = torch.arange(owner.shape[1], device=owner.device)
    seen = (owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == 0)
    seen &= place[:, None] >= place
    scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
    weights = scores.masked_fill(~seen[:, None], -torch.inf).softmax(dim=-1)
    return (weights @ value).transpose(1, 2)


def _packed(
    query: Tensor, key: Tensor, value: Tensor, rows: PackedRows, form: PackedAttention
) -> Tensor:
    scaling = query.shape[3] ** -0.5
    module = nn.Module()
    return attend(module, query, key, value, None, scaling, packed=form, packed_rows=rows)[0]


def _passes(attention: Attention, tensors: Tensors, owner: Tensor) -> list[Tensor]:
    """The output and the three gradients; what stands at padding means nothing and is 0."""
    output = attention(*tensors) * (owner >= 0)[:, :, None, None]
    torch.manual_seed(1)
    above = torch.randn(output.shape, device=owner.device).to(output.dtype)
    gradients = torch.autograd.grad(output, tensors, above)
    return [output.detach(), *gradients]


def _distance(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _against(
    key: str,
    what: str,
    attention: Attention,
    tensors: Tensors,
    owner: Tensor,
    dense: list[Tensor],
    further: bool,
) -> Iterator[Finding]:
    device = owner.device
    synchronize(device)
    begin = time.perf_counter()
    first = _passes(attention, tensors, owner)
    synchronize(device)
    seconds = time.perf_counter() - begin
    yield found(f"{key}.first", f"{what}: the first passes, compiled where they are", seconds, "s")
    if further:
        yield _further(seconds)
    note = "largest difference to a dense mask / largest value"
    forward, *gradients = map(_distance, first, dense)
    yield at_most(f"{key}.forward", f"{what}: forward, float32", forward, LIMIT, note=note)
    worst = max(gradients)
    yield at_most(f"{key}.backward", f"{what}: backward, float32", worst, LIMIT, note=note)
    second = _passes(attention, tensors, owner)
    equal = [torch.equal(one, two) for one, two in zip(first, second, strict=True)]
    note = "output; gradients of queries, keys, values: " + ", ".join(map(str, equal))
    same = f"{what}: twice, the same bytes"
    if ".flex." in key:
        yield holds(f"{key}.equal", same, all(equal), note)
    else:  # SDPA's backward pass promises no order of summation
        yield found(f"{key}.equal", same, all(equal), note=note)


def _further(seconds: float | None, note: str = "") -> Finding:
    """Of rows that differ from earlier ones in their length alone: nothing is compiled again."""
    what = f"{_NAMES['flex']}, a further length: seconds of its first passes"
    return at_most("attention.flex.further", what, seconds, FURTHER, "s", note)


def _speed(setting: Setting, owner: Tensor, compiled: bool) -> Iterator[Finding]:
    """One layer's attention in bfloat16, as training has it."""
    tensors = _random(setting, owner, torch.bfloat16)
    for kind, attention in _forms(owner, compiled).items():
        work = partial(_passes, attention, tensors, owner)
        seconds = median_seconds(work, setting.device, setting.repeats, warm=2)
        what = f"{_NAMES[kind]}: a layer, forward and backward, bfloat16"
        yield found(f"attention.{kind}.seconds", what, seconds * 1e3, "ms")
