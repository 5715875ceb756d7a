"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import TRAINED
from training_world import make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module", params=TRAINED)
def any_world(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A world with a policy of each family that is trained."""
    return make_world(tmp_path_factory.mktemp("world"), request.param)
