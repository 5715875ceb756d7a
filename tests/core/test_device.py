"""What is set of torch for a GPU, as far as a machine without one can show it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import torch

from samr1.core.device import any_order, make_deterministic, use_device
from samr1.core.errors import UserError
from samr1.core.prefetch import prefetch

CUDA, CUDNN = torch.backends.cuda, torch.backends.cudnn


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """Two GPUs, and by thread which was chosen; the switches are put back."""
    before = CUDA.cudnn_sdp_enabled(), CUDA.matmul.allow_tf32, CUDNN.allow_tf32
    calls: list[tuple[str, int]] = []

    def choose(number: int) -> None:
        calls.append((threading.current_thread().name, number))

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: calls[-1][1])
    monkeypatch.setattr(torch.cuda, "set_device", choose)
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "")
    yield calls
    CUDA.enable_cudnn_sdp(before[0])
    CUDA.matmul.allow_tf32, CUDNN.allow_tf32 = before[1:]


@pytest.mark.parametrize("tf32", [False, True])
def test_a_gpu_is_set_up_when_it_is_chosen(chosen: list[tuple[str, int]], tf32: bool) -> None:
    CUDA.enable_cudnn_sdp(True)
    CUDNN.allow_tf32 = not tf32
    assert use_device("cuda", number=1, tf32=tf32) == torch.device("cuda", 1)
    assert chosen == [("MainThread", 1)]
    assert not CUDA.cudnn_sdp_enabled()
    assert CUDA.matmul.allow_tf32 == CUDNN.allow_tf32 == tf32


def test_a_helper_thread_works_on_the_gpu_of_its_process(chosen: list[tuple[str, int]]) -> None:
    use_device("cuda", number=1)
    with closing(prefetch(range(3))) as ready:
        assert list(ready) == [0, 1, 2]
    assert chosen == [("MainThread", 1), ("prefetch_0", 1)]


def test_a_gpu_that_is_not_there_is_refused_and_a_cpu_is_never(
    chosen: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"process 3 of this job needs a GPU .* shows 2; lower"):
        use_device("cuda", number=2)
    assert use_device("cpu") == torch.device("cpu")
    assert use_device() == torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"CUDA is not available here to torch, which is built "):
        use_device("cuda")
    assert use_device() == torch.device("cpu")


@pytest.mark.parametrize(
    ("own", "read"),
    [
        (None, "expandable_segments:True,pinned_max_cached_size_mb:64"),
        ("max_split_size_mb:64",) * 2,
    ],
)
def test_the_allocator_reads_what_was_set_after_torch_was_imported(
    own: str | None, read: str
) -> None:
    code = (
        "import torch; from samr1.core.device import use_device\n"
        "torch.cuda.is_available = lambda: True\n"
        "torch.cuda.device_count = lambda: 1\n"
        "torch.cuda.set_device = lambda number: None\n"
        "use_device('cuda')\n"
        "print(torch._C._accelerator_getAllocatorSettings())"
    )
    given = {} if own is None else {"PYTORCH_CUDA_ALLOC_CONF": own}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | given, capture_output=True, text=True
    )
    assert done.stdout.strip() == read, done.stderr


@pytest.mark.parametrize("own", [None, ":16:8"])
def test_products_of_a_gpu_get_a_workspace_of_one_size(
    own: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", own or "")
    if own is None:
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    make_deterministic()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == (own or ":4096:8")


def test_any_order_is_for_as_long_as_it_is_open() -> None:
    make_deterministic()
    with pytest.raises(ZeroDivisionError), any_order():
        assert not torch.are_deterministic_algorithms_enabled()
        raise ZeroDivisionError
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
