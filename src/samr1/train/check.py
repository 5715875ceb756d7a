"""Whether a policy answers and trains where its run will: the steps of its check that load it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from PIL import Image
from torch import Tensor

from samr1.config.schema import PredictStage, TrainStage
from samr1.core.checks import Step
from samr1.core.device import make_deterministic
from samr1.core.errors import UserError
from samr1.policy.adapter import add_adapter
from samr1.policy.model import EncodedPrompt, Policy, encode_question, load_policy
from samr1.rollout.inputs import encode_images
from samr1.rollout.sample import sample_groups
from samr1.train.scorer import Scorer

_DECODED = 4  # tokens; the first is drawn from the prompt alone
_RESPONSES = (8, 5)  # tokens of those in the packed row


def check_running(
    stage: PredictStage, training: TrainStage | None, place: Callable[[], torch.device]
) -> Iterator[Step]:
    """The steps from loading the policy of `stage` to a few decoded tokens, and with `training` to
    the gradients of one packed pass as the run takes it: its attention, its recomputed layers.

    `place` gives the device, and is asked when the policy is loaded.
    """
    loaded: list[tuple[Policy, EncodedPrompt]] = []

    def decoding() -> str:
        config = stage.policy
        with _failing(stage):
            policy = load_policy(config.path, config.dtype, place(), config.attention)
            image = Image.new("RGB", (config.image_size, config.image_size))
            question = encode_question(policy, image, "ball", stage.dialect)
            (group,) = sample_groups(
                policy, [question], group_size=2, temperature=0.0, max_new_tokens=_DECODED
            )
        _refuse_infinite(torch.cat(group.logprobs), "answers", stage)
        loaded.append((policy, question))
        return (
            f"{len(question.input_ids)} tokens and an image, then {_DECODED} decoded at most, in "
            f"{config.dtype} on {policy.model.device}: finite"
        )

    def training_pass() -> str:
        assert training is not None
        with _failing(stage):
            logprobs, gradients = _take_pass(*loaded[0], training)
        _refuse_infinite(torch.cat([logprobs, *gradients]), "trains", stage)
        again = " and layers computed again" if training.train.gradient_checkpointing else ""
        return f"a packed row forward and backward{again}: {len(gradients)} gradients, finite"

    yield "policy: decoding", decoding
    if training is not None:
        yield "policy: training pass", training_pass


def _take_pass(
    policy: Policy, question: EncodedPrompt, stage: TrainStage
) -> tuple[Tensor, list[Tensor]]:
    """The log-probabilities of two responses in one packed row, and gradients, as flat tensors."""
    make_deterministic()
    if stage.train.lora is None:
        _keep_few_gradients(policy, stage.policy.train_vision)
    else:
        add_adapter(policy.model, stage.train.lora, stage.policy.train_vision, stage.seed)
    scorer = Scorer(policy, stage.train.temperature, stage.train.gradient_checkpointing)
    responses = [question.input_ids[-length:].tolist() for length in _RESPONSES]
    features = None
    if not stage.policy.train_vision:
        with torch.no_grad():
            features = encode_images(policy.model, [question])
    logprobs, _, _ = scorer([question], [responses], features)
    weights = [weight for weight in policy.model.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(logprobs.sum(), weights)
    return logprobs.detach().flatten(), [gradient.flatten().float() for gradient in gradients]


def _keep_few_gradients(policy: Policy, train_vision: bool) -> None:
    """Let norms, biases and the patch embedding alone have gradients.

    They take every layer's backward pass. All of a large policy's gradients would not fit beside
    its weights on one device, which a training of several has not to do.
    """
    for weight in policy.model.parameters():
        weight.requires_grad_(weight.ndim == 1)
    visual = policy.model.model.visual
    visual.patch_embed.requires_grad_(True)
    if not train_vision:
        visual.requires_grad_(False)


def _refuse_infinite(found: Tensor, what: str, stage: PredictStage) -> None:
    if not bool(found.isfinite().all()):
        raise UserError(
            f"{stage.policy.path}: {what} with numbers that are not finite in "
            f"{stage.policy.dtype}; get the weights again."
        )


@contextmanager
def _failing(stage: PredictStage) -> Iterator[None]:
    """Turn what a device says into a UserError of one sentence."""
    path = stage.policy.path
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{path}: does not fit into the memory of one device in {stage.policy.dtype}; name a "
            "smaller policy."
        ) from error
    except RuntimeError as error:  # a kernel that cannot be compiled or run, too
        reason = next(iter(str(error).splitlines()), repr(error))
        raise UserError(
            f"{path}: fails on this device ({reason}); see the versions in envs/README.md, and "
            "policy.attention for a way without a compiler."
        ) from error
