"""Logits in float32 of bfloat16 states, and the gradients that come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from tiny import tiny_policy
from torch import Tensor, nn
from torch.library import Library

from samr1.policy.head import Float32Head, Float32Product


@pytest.fixture
def product_on_cpu() -> Iterator[None]:
    """What cuBLAS does, for the CPU: sums of bfloat16 products, written out in float32."""
    library = Library("aten", "IMPL")

    def multiply(left: Tensor, right: Tensor, out_dtype: torch.dtype) -> Tensor:
        return left.to(out_dtype) @ right.to(out_dtype)

    library.impl("mm.dtype", multiply, "CPU")
    yield
    library._destroy()


def states_and_weight() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    states = torch.randn(2, 3, 16, generator=draw).bfloat16().requires_grad_()
    weight = (3 * torch.randn(40, 16, generator=draw)).bfloat16().requires_grad_()
    return states, weight


def test_no_digit_of_a_logit_is_rounded_away() -> None:
    states, weight = states_and_weight()
    logits = Float32Head(nn.Parameter(weight.detach()))(states)
    exact = states.double() @ weight.double().T
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits.double(), exact, atol=1e-5, rtol=1e-6)
    rounded = (states @ weight.T).double()
    assert (rounded - exact).abs().max() > 100 * (logits - exact).abs().max()


def test_float32_is_the_plain_layer_to_the_bit() -> None:
    states, weight = (one.detach().float() for one in states_and_weight())
    assert torch.equal(Float32Head(nn.Parameter(weight))(states), states @ weight.T)


@pytest.mark.usefixtures("product_on_cpu")
def test_the_gpus_product_and_its_gradients_are_the_cpus() -> None:
    results = []
    for product in (Float32Product.apply, lambda a, b: a.float() @ b.float().T):
        states, weight = states_and_weight()
        flat = states.flatten(0, 1)
        table = torch.log_softmax(product(flat, weight), dim=-1)
        table[:, :5].sum().backward()
        assert states.grad is not None and weight.grad is not None
        assert states.grad.dtype == weight.grad.dtype == torch.bfloat16
        results.append((table.detach(), states.grad.float(), weight.grad.float()))
    ours, plain = results
    assert torch.equal(ours[0], plain[0])
    for one, other in zip(ours[1:], plain[1:], strict=True):
        # The gradient that goes back is rounded to bfloat16, as behind any layer of it.
        assert (one - other).norm() < 5e-3 * other.norm()


@pytest.mark.usefixtures("product_on_cpu")
def test_a_weight_that_is_not_trained_gets_no_gradient() -> None:
    states, weight = states_and_weight()
    Float32Product.apply(states.flatten(0, 1), weight.detach()).sum().backward()
    assert states.grad is not None and weight.grad is None


def test_a_policys_head_is_the_very_weight_it_was() -> None:
    policy = tiny_policy()
    names = {name for name, _ in policy.model.named_parameters()}
    assert "lm_head.weight" in names
    assert not any(module.training for module in policy.model.modules())
    policy.model.bfloat16()
    states = torch.randn(1, 2, 32).bfloat16()
    assert policy.model.lm_head(states).dtype == torch.float32
