"""Tensors written as they are digested, read back by the library whose format it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from samr1.core import weights
from samr1.core.weights import write_tensors

TENSORS = {
    "b.bytes": torch.arange(7, dtype=torch.uint8),
    "a.half": torch.randn(3, 5).bfloat16(),
    "step": torch.tensor(4.0),
    "turned": torch.randn(6, 4).T,
    "none": torch.zeros(0, 3),
    "long": torch.tensor([2**40, -1]),
    "double": torch.randn(11, dtype=torch.float64),
    "learned": torch.randn(33, requires_grad=True),
}


@pytest.mark.parametrize("part", [64, 2**26])
def test_what_is_written_is_what_the_library_reads(
    tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "BYTES_AT_ONCE", part)
    path = tmp_path / "tensors"
    digest = write_tensors(path, TENSORS)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    found = load_file(path)
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor.detach()), name
    plain = {name: tensor.detach().contiguous() for name, tensor in TENSORS.items()}
    save_file(plain, tmp_path / "theirs")
    assert path.stat().st_size == (tmp_path / "theirs").stat().st_size
