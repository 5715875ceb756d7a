"""What the tests of strangers' policies share: one that is whole, and a copy to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny import tiny_policy

from samr1.policy.model import save_policy


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy") / "whole"
    save_policy(tiny_policy(), folder)
    return folder


@pytest.fixture
def policy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "policy"))
