"""The output layer with logits in float32, in sampling as in the log-probabilities.

A product of bfloat16 is exact in float32, and a GPU sums it there: what loses digits is rounding
the sum to bfloat16, three digits of a logit of 20. Keeping them costs no copy of the weights and no
time: cuBLAS writes its sums out as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Float32Head(nn.Linear):
    """An output layer without bias: logits [..., V] float32 of states [..., H] of any format.

    It is a module, called as such, since ZeRO 3 gathers a module's weight when it is called: on all
    processes at once, so that each must call it equally often.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        """Take over `weight` [V, H], the very object: it may be the embedding's too."""
        super().__init__(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self.weight = weight

    def forward(self, input: Tensor, use: Callable[..., Any] | None = None) -> Any:
        """The logits of `input`; or what `use` makes of it and of what gives the logits of states.

        `use` may ask for the logits of as many parts as it likes, and again in the backward pass.
        """
        return self.logits(input) if use is None else use(self.logits, input)

    def logits(self, states: Tensor) -> Tensor:
        """The logits; to be called from within `forward` alone."""
        if states.is_cuda and states.dtype != torch.float32:
            product: Tensor = Float32Product.apply(states.flatten(0, -2), self.weight)  # [N, V]
            return product.unflatten(0, states.shape[:-1])
        # A CPU has no such product; there models are small enough to be copied.
        return linear(states.float(), self.weight.float())


class Float32Product(torch.autograd.Function):
    """states [N, H] @ weight [V, H].T as float32 [N, V], both in bfloat16.

    The backward pass rounds the gradient to bfloat16, as that of a bfloat16 layer does.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(states, weight)
        return torch.mm(states, weight.t(), out_dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        states, weight = ctx.saved_tensors
        gradient = gradients[0].to(states.dtype)
        of_states, of_weight = ctx.needs_input_grad
        return (
            gradient @ weight if of_states else None,
            gradient.t() @ states if of_weight else None,
        )
