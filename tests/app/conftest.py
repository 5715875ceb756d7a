"""What the tests of the page share: one of the shipped models, on a free port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo_server import served

from samr1.app.model import load_samr1


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(load_samr1()) as number:
        yield number
