"""What all tests share: numbers rounded as in a new process, and the browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
import torch
from playwright.sync_api import Browser, sync_playwright

# What a machine without a screen and without a way out needs.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Undo what training sets for the whole process, as it ends with its training elsewhere."""
    linear = torch.nn.functional.linear  # DeepSpeed's ZeRO 3 puts one of its own in this place
    yield
    torch.nn.functional.linear = linear
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's browser, without a window; where there is none the test is skipped.

    It fails instead where CI has one and says so by TESTS_NEED=chromium.
    """
    path = shutil.which("chromium")
    if path is None:
        give_up = pytest.fail if os.environ.get("TESTS_NEED") == "chromium" else pytest.skip
        give_up("there is no chromium to show the page: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()
