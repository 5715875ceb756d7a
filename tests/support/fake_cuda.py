"""CUDA without a GPU: tensors without values, and a guard against what a capture would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


@contextmanager
def fake_cuda() -> Iterator[Steps]:
    """Within it, device "cuda" is there for shapes and formats alone.

    A value that the host reads is refused by torch (`DataDependentOutputException`), an operation
    that meets the host's memory with `ComesFromHost`. Gives what is run, while `Steps` is open.
    """
    with FakeTensorMode(allow_non_fake_inputs=True), _Indexing():
        yield Steps()


class ComesFromHost(RuntimeError):
    """An operation took a tensor from the host's memory."""


class Steps(TorchDispatchMode):
    """Notes each operation and the shapes of its tensors, and refuses a tensor of the host's."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, list[torch.Size]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        if any(tensor.device.type != "cuda" for tensor in tensors):
            raise ComesFromHost(str(func))
        self.ran.append((str(func), [tensor.shape for tensor in tensors]))
        return result


class _Indexing(TorchFunctionMode):
    """Python's way to index a CUDA tensor looks for a device; a CPU build has to go around it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__getitem__:
            return _view(*args)
        if func is Tensor.__setitem__:
            tensor, index, value = args
            return aten.copy_.default(_view(tensor, index), value)
        return func(*args, **(kwargs or {}))


def _view(tensor: Tensor, index: Any) -> Tensor:
    """What an index of numbers, slices, None and an ellipsis shows of a tensor."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        named = sum(part is not None for part in parts) - 1
        parts[at : at + 1] = [slice(None)] * (tensor.ndim - named)
    axis = 0
    for part in parts:
        if part is None:
            tensor = aten.unsqueeze(tensor, axis)
        elif isinstance(part, slice):
            tensor = aten.slice.Tensor(tensor, axis, part.start, part.stop, part.step or 1)
        else:
            tensor, axis = aten.select.int(tensor, axis, part), axis - 1
        axis += 1
    return tensor


def onto_fake_cuda(model: nn.Module, dtype: torch.dtype) -> None:
    """Put fakes of `dtype` in the place of a model's weights, and of its buffers."""
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            fake = torch.empty(weight.shape, dtype=dtype, device="cuda")
            setattr(module, name, nn.Parameter(fake, requires_grad=False))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype, device="cuda"))
