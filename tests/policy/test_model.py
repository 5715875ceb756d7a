"""Loading, encoding and saving a policy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import random_image, tiny_policy

from samr1.core.errors import UserError
from samr1.policy.model import encode_question, load_policy, save_policy


def test_a_question_has_one_token_a_merged_patch_in_the_models_own_positions() -> None:
    policy = tiny_policy()
    question = encode_question(policy, random_image(0, 84), "the red ball", "sam_r1")
    assert question.grid_thw.tolist() == [[1, 12, 12]]
    assert question.pixel_values.shape == (144, 3 * 2 * 7 * 7)
    is_image = question.input_ids == policy.image_token_id
    assert int(is_image.sum()) == 36
    start = int(is_image.nonzero()[0])
    # Time stands still over a picture; height and width run over its 6×6 merged patches.
    assert question.position_ids[:, is_image].amax(dim=1).tolist() == [start, start + 5, start + 5]
    assert question.response_start == len(question.input_ids) - 36 + 6
    assert "the red ball" in policy.tokenizer.decode(question.input_ids)


def test_a_question_that_smuggles_in_an_image_token_is_refused() -> None:
    with pytest.raises(UserError, match="17 image tokens and its image 16"):
        encode_question(tiny_policy(), random_image(0), "a <|image_pad|> ball", "sam_r1")


def test_an_image_that_does_not_fit_the_patches_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of 14"):
        encode_question(tiny_policy(), random_image(0, 60), "ball", "sam_r1")


def test_a_saved_policy_loads_again_and_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    policy = tiny_policy()
    save_policy(policy, tmp_path / "start")
    loaded = load_policy(str(tmp_path / "start"))
    save_policy(loaded, tmp_path / "a")
    save_policy(load_policy(str(tmp_path / "a")), tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    ours = encode_question(policy, random_image(1), "ball", "sam_r1")
    theirs = encode_question(loaded, random_image(1), "ball", "sam_r1")
    assert torch.equal(ours.input_ids, theirs.input_ids)
    assert torch.equal(ours.pixel_values, theirs.pixel_values)
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name]), name
    assert loaded.blocked_token_ids == policy.blocked_token_ids


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        load_policy(str(tmp_path))
