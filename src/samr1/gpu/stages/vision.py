"""The vision tower at its published widths, in bfloat16: forward and backward."""

from __future__ import annotations

import torch
from torch import Tensor

from samr1.gpu.findings import Findings, at_most, found, holds
from samr1.gpu.models import draw_questions, random_policy
from samr1.gpu.setting import Setting
from samr1.gpu.timing import matrix_rate, median_seconds
from samr1.planning.parameters import count_patches
from samr1.planning.work import vision_forward
from samr1.rollout.inputs import encode_images

# bfloat16 has 8 bits; what 32 blocks make of the order in which two images are summed.
LIMIT = 0.05


def look(setting: Setting) -> Findings:
    """One image and several together, forward, and backward into the weights."""
    device = setting.device
    policy = random_policy(setting.policy, device, setting.attention)
    words = [setting.prompt_words] * setting.questions
    questions = draw_questions(policy, setting.image_size, words)
    model, count = policy.model, setting.questions

    def forward(number: int) -> list[Tensor]:
        with torch.no_grad():
            return encode_images(model, questions[:number])

    def both() -> None:
        model.zero_grad()
        torch.cat(encode_images(model, questions)).float().square().mean().backward()

    together, alone = forward(count), forward(1)
    difference = float((together[0] - alone[0]).float().norm() / alone[0].float().norm())
    yield at_most(
        "vision.together",
        "an image's features beside others and alone",
        difference,
        LIMIT,
        note="norm of the difference / norm",
    )
    one = median_seconds(lambda: forward(1), device, setting.repeats)
    yield found("vision.one", "forward, one image", one * 1e3, "ms")
    several = median_seconds(lambda: forward(count), device, setting.repeats)
    operations = count * vision_forward(
        setting.policy, count_patches(setting.policy, setting.image_size)
    )
    share = operations / several / matrix_rate(device)
    yield found(
        "vision.forward",
        f"forward, {count} images together",
        several * 1e3,
        "ms",
        f"{share:.0%} of the measured matrix product",
    )
    both()
    gradients = [weight.grad for weight in model.model.visual.parameters()]
    yield holds(
        "vision.backward_runs",
        "backward gives every weight a finite gradient",
        all(one is not None and bool(one.isfinite().all()) for one in gradients),
    )
    backward = median_seconds(both, device, setting.repeats)
    yield found("vision.backward", f"forward and backward, {count} images", backward * 1e3, "ms")
