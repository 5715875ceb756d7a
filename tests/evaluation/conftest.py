"""Random models, and four questions on three pictures."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from predict_world import (
    QUESTIONS,
    question_table,
    random_segmenter,
    save_pictures,
    store_pictures,
)
from tiny import tiny_policy

from samr1.data.resizing import ImageStore
from samr1.policy.model import Policy
from samr1.segmenter import Segmenter


@pytest.fixture(scope="module")
def policy() -> Policy:
    return tiny_policy()


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return random_segmenter()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def samples() -> pa.Table:
    return question_table(QUESTIONS)


@pytest.fixture(scope="module")
def store(samples: pa.Table, root: Path) -> ImageStore:
    return store_pictures(samples, root)
