"""The masks of packed rows, and FlexAttention as CUDA runs it, as far as a CPU can."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from tiny import tiny_policy, use_block_masks
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask
from torch.utils._python_dispatch import TorchDispatchMode

from samr1.policy import attention
from samr1.rollout.masks import attention_mask, block_mask, dense_mask


def owners(*rows: list[int]) -> Tensor:
    """[Q, L] of rows given by the lengths of their prompt and responses, padded with -1."""
    owner = torch.full((len(rows), max(map(sum, rows))), -1)
    for row, lengths in enumerate(rows):
        parts = [torch.full((length,), index) for index, length in enumerate(lengths)]
        owner[row, : sum(lengths)] = torch.cat(parts)
    return owner


def test_a_response_sees_the_prompt_and_its_own_past() -> None:
    # Prompt of 2, responses of 2, 0 and 1; then a shorter row, padded by two.
    mask = dense_mask(owners([2, 2, 0, 1], [1, 2]))
    assert mask.shape == (2, 1, 5, 5)
    assert mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]
    # No row of the softmax is empty, those of the padding included.
    assert mask[1, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 0, 0, 1, 0],
        [1, 0, 0, 1, 1],
    ]
    assert torch.equal(attention_mask(owners([2, 2])), dense_mask(owners([2, 2])))  # on a CPU


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
    use_block_masks(monkeypatch)
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
        module = torch.nn.Module()
        module.num_key_value_groups = 2
        ours, theirs = (
            attention.attend(module, query, key, value, mask, scaling=0.25)[0]
            for mask in (block_mask(owner), dense_mask(owner))
        )
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert len(compiled) == 1


def test_a_block_mask_with_dropout_is_refused() -> None:
    states = torch.zeros(1, 1, 4, 16)
    with pytest.raises(ValueError, match=r"no dropout, and 0\.1 is asked"):
        attention.attend(
            torch.nn.Module(),
            states,
            states,
            states,
            block_mask(owners([4])),
            scaling=1.0,
            dropout=0.1,
        )


def test_only_the_language_model_has_the_choice() -> None:
    model = tiny_policy().model
    assert model.model.language_model.config._attn_implementation == attention.ATTENTION
    assert model.model.visual.config._attn_implementation == "sdpa"
    assert attention.ATTENTION not in model.config.to_json_string(use_diff=False)
