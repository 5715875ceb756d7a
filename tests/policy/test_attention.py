"""The masks of packed rows, and FlexAttention as CUDA runs it, as far as a CPU can."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cuda import fake_cuda
from tiny import tiny_policy, use_flex
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from samr1.config.names import PackedAttention
from samr1.core.errors import UserError
from samr1.policy import attention
from samr1.policy.attention import attend, attention_name
from samr1.policy.packed_rows import PackedGroups, PackedRows, block_mask, packed_groups


def owners(*rows: list[int]) -> Tensor:
    """[Q, L] of rows given by the lengths of their prompt and responses, padded with -1."""
    owner = torch.full((len(rows), max(map(sum, rows))), -1)
    for row, lengths in enumerate(rows):
        parts = [torch.full((length,), index) for index, length in enumerate(lengths)]
        owner[row, : sum(lengths)] = torch.cat(parts)
    return owner


def dense_mask(owner: Tensor) -> Tensor:
    """The plain twin: [Q, 1, L, L] bool, query by key, one pair of tokens after another."""
    places = range(owner.shape[1])
    return torch.tensor(
        [
            [[[k <= q and row[k] in (0, row[q]) for k in places] for q in places]]
            for row in owner.tolist()
        ]
    )


def grouped() -> torch.nn.Module:
    """What is asked of an attention's module: two heads of a query to each of the keys'."""
    module = torch.nn.Module()
    module.num_key_value_groups = 2
    return module


def attend_dense(states: list[Tensor], owner: Tensor) -> Tensor:
    """[Q, L, H, D] of query, key and value, by the dense mask."""
    return attend(grouped(), *states, dense_mask(owner), 0.25)[0]


def attend_packed(states: list[Tensor], owner: Tensor, form: PackedAttention) -> Tensor:
    rows = PackedRows(owner)
    return attend(grouped(), *states, None, 0.25, packed=form, packed_rows=rows)[0]


# By the lengths of prompt and responses: unequal prompts, empty responses and a padded row.
ROWS = [
    [[2, 2, 0, 1], [1, 2]],
    [[5, 3, 3], [9, 1, 0, 4, 2], [3, 0, 0, 0]],
    [[4]],
    [[3, 0], [6, 0]],
    [[1, 0, 0, 0, 0, 0, 1], [1, 1]],
]


@pytest.mark.parametrize("rows", ROWS)
def test_packed_groups_see_what_the_dense_mask_shows(rows: list[list[int]]) -> None:
    owner = owners(*rows)
    draw = torch.Generator().manual_seed(0)
    query = torch.randn(len(rows), 4, owner.shape[1], 16, generator=draw)
    key, value = torch.randn(2, len(rows), 2, owner.shape[1], 16, generator=draw)
    states = [states.requires_grad_() for states in (query, key, value)]
    weights = torch.randn(len(rows), owner.shape[1], 4, 16, generator=draw)
    weights[owner < 0] = 0  # what stands at the padding is nobody's
    results = []
    for output in (attend_packed(states, owner, "two_calls"), attend_dense(states, owner)):
        gradients = torch.autograd.grad((output * weights).sum(), states)
        results.append([output[owner >= 0], *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_the_packed_groups_of_two_rows() -> None:
    groups = packed_groups(owners([2, 2, 0, 1], [1, 2]))
    assert groups.prompt == 2
    assert groups.row.tolist() == [0, 0, 1]
    assert groups.tokens.tolist() == [[2, 3], [4, 0], [6, 7]]
    assert groups.visible[:, 0].int().tolist() == [
        [[1, 1, 1, 0], [1, 1, 1, 1]],
        [[1, 1, 1, 0], [1, 1, 1, 1]],
        [[1, 0, 1, 0], [1, 0, 1, 1]],
    ]
    # Four prompt places, then three responses of two; the padding reads any of them.
    assert groups.place.tolist() == [0, 1, 4, 5, 6, 2, 8, 9, 0, 0]


@pytest.mark.parametrize(
    ("device", "chosen", "taken"),
    [("cuda", "flex", "blocks"), ("cuda", "two_calls", "groups"), ("cpu", "flex", "groups")],
)
def test_packed_rows_take_the_form_that_was_chosen_and_on_a_cpu_two_calls(
    device: str, chosen: PackedAttention, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_flex(monkeypatch)
    rows = PackedRows(owners([5, 3, 3], [9, 1, 0]))
    states = list(torch.randn(3, 2, 2, rows.owner.shape[1], 16))
    chosen_attend = ALL_ATTENTION_FUNCTIONS[attention_name(chosen, torch.device(device))]
    ours, _ = chosen_attend(torch.nn.Module(), *states, None, scaling=0.25, packed_rows=rows)
    assert vars(rows).keys() == {"owner", taken}  # the other form was not made
    theirs, _ = attend(torch.nn.Module(), *states, dense_mask(rows.owner), 0.25)
    of_tokens = rows.owner >= 0
    torch.testing.assert_close(ours[of_tokens], theirs[of_tokens], atol=1e-5, rtol=1e-5)


def test_flex_without_a_compiler_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(UserError, match=r"needs a C compiler .* set policy\.attention: two_calls"):
        attention._compiled_flex.__wrapped__()


class LargestTensor(TorchDispatchMode):
    """Notes the size of the largest tensor that is made while it is open."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.numel = max(self.numel, result.numel())
        return result


@pytest.mark.parametrize(
    "rows",
    [
        [[300, 200, 0, 90], [40, 1, 2, 3]],
        [[128, 128], [256, 0], [20, 1]],
        [[5, 3]],
        [[129], [1]],
    ],
)
def test_a_block_mask_is_the_dense_mask_in_blocks_and_never_whole(rows: list[list[int]]) -> None:
    owner = owners(*rows)
    length = owner.shape[1]
    dense = dense_mask(owner)[:, 0]
    with LargestTensor() as made:
        ours = block_mask(owner)
    assert made.numel <= len(owner) * max(128 * (length + 127), 128**2)

    def look_up(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return dense[row, query, key]

    theirs = create_block_mask(look_up, len(owner), None, length, length, device="cpu")
    assert ours.shape == theirs.shape and ours.BLOCK_SIZE == theirs.BLOCK_SIZE
    for name in ("kv", "full_kv", "q", "full_q"):
        for part in (f"{name}_num_blocks", f"{name}_indices"):
            assert torch.equal(getattr(ours, part), getattr(theirs, part)), part
    row, query, key = (
        grid.flatten() for grid in torch.meshgrid(*map(torch.arange, dense.shape), indexing="ij")
    )
    assert torch.equal(ours.mask_mod(row, torch.zeros_like(row), query, key), dense.flatten())


def test_one_compiled_kernel_serves_rows_of_all_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    use_flex(monkeypatch)
    compiled = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        compiled.append(graph)
        return graph.forward

    with monkeypatch.context() as patch:
        patch.setattr(torch, "compile", partial(torch.compile, backend=backend))
        flex = attention._compiled_flex.__wrapped__()
    monkeypatch.setattr(attention, "flex_attention", flex)
    draw = torch.Generator().manual_seed(0)
    # Of rows, heads and blocks no two agree in number: torch makes kernels of their own for those.
    for rows in ([[600, 30], [90, 3], [7, 1]], [[800, 60], [90, 3], [7, 1], [8, 8], [6, 2]]):
        owner = owners(*rows)
        query = torch.randn(len(rows), 4, owner.shape[1], 16, generator=draw)
        key, value = torch.randn(2, len(rows), 2, owner.shape[1], 16, generator=draw)
        states = [query, key, value]
        ours = attend_packed(states, owner, "flex")
        theirs = attend_packed(states, owner, "two_calls")
        of_tokens = owner >= 0
        ours, theirs = ours[of_tokens], theirs[of_tokens]
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert len(compiled) == 1


class Heads(TorchFunctionMode):
    """Notes the heads of query and key of each attention, and whether it has a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int, bool]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is scaled_dot_product_attention:
            self.seen.append((args[0].shape[1], args[1].shape[1], "attn_mask" in kwargs))
        return func(*args, **kwargs)


def test_a_gpu_gets_the_keys_of_every_head_where_its_kernels_have_a_mask() -> None:
    with fake_cuda(), Heads() as heads:
        zeros = partial(torch.zeros, device="cuda")
        states = [zeros(2, heads, 12, 16) for heads in (4, 2, 2)]
        index = partial(zeros, dtype=torch.int64)
        visible = zeros(3, 1, 5, 9, dtype=torch.bool)
        rows = PackedRows(index(2, 12))
        vars(rows)["groups"] = PackedGroups(4, index(3), index(3, 5), visible, index(24))
        found = attend(torch.nn.Module(), *states, None, 0.25, packed_rows=rows)[0]
    assert found.shape == (2, 12, 4, 16)
    assert heads.seen == [(4, 2, False), (4, 4, True)]


def test_the_attentions_are_not_saved() -> None:
    model = tiny_policy().model
    saved = model.config.to_json_string(use_diff=False)
    for part in (model.model.language_model, model.model.visual):
        assert part.config._attn_implementation not in saved
