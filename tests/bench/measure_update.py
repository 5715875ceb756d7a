"""The update alone, forward and backward: one packed sequence against its plain twins."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from model import DIALECT, PATCH, QUERY, model_config, noise_image, save_model
from ours import load_endless
from record import Measurement, Record, alternate, today
from setting import Setting, machine, make_parser, use_threads
from torch import Tensor

from samr1.method.objective import policy_objective
from samr1.planning.work import text_forward, vision_forward
from samr1.policy.model import EncodedPrompt, Policy, encode_question
from samr1.rollout.distribution import next_token_logprobs
from samr1.rollout.logprobs import response_logprobs

BAR = 6.0
LARGEST_DIFFERENCE = 1e-5  # of a weight's gradient, relative, in float32
Scorer = Callable[[Policy, EncodedPrompt, list[list[int]]], Tensor]


def packed(policy: Policy, question: EncodedPrompt, group: list[list[int]]) -> Tensor:
    """Log-probabilities [G, T] over the prompt that the group shares."""
    scored = response_logprobs(
        policy.model,
        [question],
        [group],
        temperature=1.0,
        blocked_token_ids=policy.blocked_token_ids,
    )
    return scored.logprobs[0]


def plain(policy: Policy, question: EncodedPrompt, group: list[list[int]]) -> Tensor:
    """The twin: [G, T] by the model's own front door, the image and the prompt once a response."""
    responses = torch.tensor(group)
    prompts = question.input_ids.expand(len(group), -1)
    input_ids = torch.cat([prompts, responses], dim=1)
    logits = policy.model(
        input_ids=input_ids,
        attention_mask=torch.ones_like(input_ids),
        pixel_values=question.pixel_values.repeat(len(group), 1),
        image_grid_thw=question.grid_thw.repeat(len(group), 1),
        mm_token_type_ids=(input_ids == policy.model.config.image_token_id).int(),
        logits_to_keep=responses.shape[1] + 1,
    ).logits[:, :-1]
    table = next_token_logprobs(logits, torch.tensor(policy.blocked_token_ids), 1.0)
    return table.gather(2, responses[:, :, None])[:, :, 0]


def plain_one_by_one(policy: Policy, question: EncodedPrompt, group: list[list[int]]) -> Tensor:
    """The twin of the tests: one forward pass a response."""
    return torch.cat([plain(policy, question, [response]) for response in group])


def backward(
    policy: Policy, question: EncodedPrompt, group: list[list[int]], scorer: Scorer
) -> float:
    """The seconds of a forward and a backward pass through the objective."""
    policy.model.zero_grad()
    advantages = torch.linspace(-1, 1, len(group))[None]
    begin = time.perf_counter()
    new = scorer(policy, question, group)[None]
    terms = policy_objective(
        new,
        new,  # the first update's own, detached inside
        new + 0.1,
        advantages,
        torch.ones_like(new, dtype=torch.bool),
        clip_low=0.2,
        clip_high=0.3,
        kl_coef=0.005,
        normaliser="group",
    )
    torch.autograd.backward(-terms.objective)
    return time.perf_counter() - begin


def gradients(policy: Policy) -> list[Tensor]:
    """The weights' gradients as they are now, copied."""
    found = [weight.grad for weight in policy.model.parameters()]
    return [grad.clone() for grad in found if grad is not None]


def difference(
    policy: Policy, question: EncodedPrompt, group: list[list[int]], twin: Scorer
) -> float:
    """The largest relative difference of a weight's gradient, packed against `twin`."""
    found = []
    for scorer in (packed, twin):
        backward(policy, question, group, scorer)
        found.append(gradients(policy))
    pairs = zip(*found, strict=True)
    return max(float((a - b).norm() / b.norm().clamp(min=1e-6)) for a, b in pairs)


def operations(setting: Setting, prompt: int) -> tuple[float, float]:
    """Those of the packed update and of a plain one, in GFLOP: image and prompt once, or G times.

    Their ratio is what the packed update can gain by leaving out work alone.
    """
    config, group = model_config(setting), setting.group_size
    image = vision_forward(config, (setting.image_size // PATCH) ** 2)
    length = setting.response_tokens
    ours = image + text_forward(config, prompt, group, length)
    theirs = group * (image + text_forward(config, prompt, 1, length))
    return 3 * ours / 1e9, 3 * theirs / 1e9  # a backward pass is twice its forward pass


def measure(setting: Setting) -> Record:
    """All ways in turn on one question; refuses to compare what does not agree."""
    use_threads(setting.threads)
    with tempfile.TemporaryDirectory() as folder:
        save_model(setting, Path(folder))
        policy = load_endless(Path(folder))
    question = encode_question(policy, noise_image(0, setting.image_size), QUERY, DIALECT)
    draw = torch.Generator().manual_seed(0)
    shape = (setting.group_size, setting.response_tokens)
    group = torch.randint(10, len(policy.tokenizer) // 2, shape, generator=draw).tolist()
    gap = max(difference(policy, question, group, twin) for twin in (plain, plain_one_by_one))
    if gap > LARGEST_DIFFERENCE:
        raise RuntimeError(f"the gradients differ by {gap:.1e}: the packed pass is not the plain")
    sides = [
        partial(backward, policy, question, group, scorer)
        for scorer in (packed, plain, plain_one_by_one)
    ]
    ours, whole, single = alternate(sides, setting.repeats)
    name = "update alone, forward and backward"
    needed, repeated = operations(setting, len(question.input_ids))
    figures = [
        Measurement(name, ours, "s", whole, "plain twin, the group as one batch", BAR),
        Measurement(name, ours, "s", single, "plain twin, response by response", BAR),
        Measurement(
            "update alone: operations, counted", [needed], "GFLOP", [repeated], "either twin"
        ),
    ]
    notes = {"largest_gradient_difference": gap}
    return Record("update", figures, notes, machine(setting.threads), today())


def main() -> None:
    """Parse, measure, write."""
    parser = make_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    measure(Setting.of(arguments)).write(arguments.output)


if __name__ == "__main__":
    main()
