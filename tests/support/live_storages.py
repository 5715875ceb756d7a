"""What torch has allocated and not given back, as a GPU's allocator would count it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveStorages(TorchDispatchMode):
    """The storages of all tensors that are made while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self._made: set[StorageWeakRef] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor) and not tensor.is_meta:
                self._made.add(StorageWeakRef(tensor.untyped_storage()))
        return out

    @property
    def bytes(self) -> int:
        """Of those that are still held by something, as large as they are now."""
        held = (torch.UntypedStorage._new_with_weak_ptr(one.cdata) for one in self._made)
        return sum(storage.nbytes() for storage in held if storage is not None)
