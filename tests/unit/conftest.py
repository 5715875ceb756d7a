"""What a test leaves behind in the process that rounds the numbers of the next ones otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Undo what training sets for the whole process, as it ends with its training elsewhere."""
    linear = torch.nn.functional.linear  # DeepSpeed's ZeRO 3 puts one of its own in this place
    yield
    torch.nn.functional.linear = linear
    torch.use_deterministic_algorithms(False)
