"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
from training_world import make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))
