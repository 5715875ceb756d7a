"""The vision tower's windows together and its patches as a product, beside their plain twins."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny import TRAINED, random_image, tiny_policy
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from transformers.vision_utils import get_vision_window_index

from samr1.policy.model import Policy, encode_question
from samr1.policy.vision import PatchProduct, attend_windows
from samr1.rollout.inputs import encode_images


class CountAttentions(TorchFunctionMode):
    """Counts the calls of SDPA while it is open."""

    count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is scaled_dot_product_attention
        return func(*args, **(kwargs or {}))


def one_by_one(states: list[Tensor], lengths: list[int]) -> Tensor:
    """The plain twin: a call a window."""
    windows = zip(*(one.split(lengths, dim=2) for one in states), strict=True)
    outputs = [scaled_dot_product_attention(*window, scale=0.3) for window in windows]
    return torch.cat(outputs, dim=2).transpose(1, 2)


@pytest.mark.parametrize(
    "lengths", [[16], [8, 8, 8], [16, 16, 4, 16, 4, 1, 16], [1, 2, 3], [64] * 7 + [32]]
)
def test_windows_attended_together_are_windows_attended_one_by_one(lengths: list[int]) -> None:
    draw = torch.Generator().manual_seed(0)
    states = list(torch.randn(3, 1, 2, sum(lengths), 8, generator=draw))
    states = [one.requires_grad_() for one in states]
    weights = torch.randn(1, sum(lengths), 2, 8, generator=draw)
    bounds = torch.tensor([0, *lengths]).cumsum(0)
    results = []
    for attend in (
        lambda: attend_windows(nn.Module(), *states, None, 0.3, cu_seq_lens_q=bounds)[0],
        lambda: one_by_one(states, lengths),
    ):
        output = attend()
        gradients = torch.autograd.grad((output * weights).sum(), states)
        results.append([output, *gradients])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_the_windows_of_two_large_images_take_three_calls() -> None:
    grids = torch.tensor([[1, 60, 60]] * 2)  # 840 pixels, as the paper has them
    _, bounds = get_vision_window_index(grids, 2, 112, 14)
    assert len(bounds) == 129
    states = torch.zeros(3, 1, 1, 7200, 8)
    with CountAttentions() as made:
        attend_windows(nn.Module(), *states, None, 1.0, cu_seq_lens_q=bounds)
    assert made.count == 3


def features_and_gradients(policy: Policy) -> list[Tensor]:
    sides = (56, 84, 70, 28, 84)  # windows of 4×4 patches, cut short at the edge of 70
    questions = [
        encode_question(policy, random_image(i, side), "x", "qwen") for i, side in enumerate(sides)
    ]
    features = torch.cat(encode_images(policy.model, questions))
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    tower = list(policy.model.model.visual.parameters())
    return [features, *torch.autograd.grad((features * weights).sum(), tower)]


@pytest.mark.parametrize("family", TRAINED)
def test_a_tower_with_its_windows_together_is_the_plain_one(family: str) -> None:
    ours = features_and_gradients(tiny_policy(family=family))
    plain = tiny_policy(family=family)
    plain.model.model.visual.config._attn_implementation = "sdpa"
    for one, other in zip(ours, features_and_gradients(plain), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("family", TRAINED)
def test_a_tower_with_patches_as_a_product_is_the_plain_one_under_the_same_names(
    family: str,
) -> None:
    plain, policy = tiny_policy(family=family), tiny_policy(family=family)
    embed = policy.model.model.visual.patch_embed
    embed.proj = PatchProduct(embed.proj)
    shapes = [
        {name: weight.shape for name, weight in one.model.state_dict().items()}
        for one in (plain, policy)
    ]
    assert shapes[0] == shapes[1]
    results = [features_and_gradients(one) for one in (policy, plain)]
    for one, other in zip(*results, strict=True):
        assert float((one - other).detach().norm() / other.detach().norm()) < 1e-5


@pytest.mark.parametrize(("family", "width"), [("qwen2_5_vl", 32), ("qwen3_vl", 3 * 32)])
def test_the_tower_reads_no_value_from_the_device(family: str, width: int) -> None:
    policy = tiny_policy(family=family)
    questions = [
        encode_question(policy, random_image(i, side), "x", "qwen")
        for i, side in enumerate((56, 70))
    ]
    policy.model.to("meta")  # where nothing has a value that could be read
    features = encode_images(policy.model, questions)
    assert [one.shape for one in features] == [(16, width), (25, width)]
