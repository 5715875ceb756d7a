"""What the tests of the configuration share."""

from __future__ import annotations

from pathlib import Path

import pytest
from edited_settings import Edit, copy_settings


@pytest.fixture
def edit(tmp_path: Path) -> Edit:
    return copy_settings(tmp_path / "config")
