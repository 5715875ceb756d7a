"""What all tests share: numbers rounded as in a new process, and the browser."""

from __future__ import annotations

import os
import shutil
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


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's browser; without one the test is skipped, but fails where CI has one.

    CI says so by TESTS_NEED=chromium.
    """
    path = shutil.which("chromium")
    if path is None:
        give_up = pytest.fail if os.environ.get("TESTS_NEED") == "chromium" else pytest.skip
        give_up("there is no chromium to show the page: apt-get install chromium")
    return path
