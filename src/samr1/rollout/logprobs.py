"""Log-probabilities of a group's responses over one shared prompt.

One row a question holds the prompt once and its responses; logits exist at response positions only,
and, where the vocabulary is large, only a chunk of them at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from samr1.policy.families import QwenModel
from samr1.policy.model import EncodedPrompt
from samr1.policy.packed_rows import PackedRows
from samr1.rollout.distribution import next_token_logprobs
from samr1.rollout.inputs import embed_tokens, encode_images
from samr1.rollout.packing import Packed, Responses, pack, split_passes

# Response positions × vocabulary that are held as float32 logits at once: 256 MiB.
LOGITS_AT_ONCE = 2**26


@dataclass(frozen=True)
class ResponseLogprobs:
    """Of Q questions with G responses of up to T tokens, all [Q, G, T].

    `logprobs` float32, 0 beyond a response's end; `entropies` float32 in nats, without gradient;
    `mask` bool, true at response tokens, the stop token included.
    """

    logprobs: Tensor
    entropies: Tensor
    mask: Tensor


def response_logprobs(
    model: QwenModel,
    questions: Sequence[EncodedPrompt],
    groups: Sequence[Responses],
    *,
    temperature: float,
    blocked_token_ids: Sequence[int],
    image_features: Sequence[Tensor] | None = None,
) -> ResponseLogprobs:
    """Log-probabilities of the response tokens of `groups` (G token lists a question), in one pass.

    The distribution is the one that was sampled from: tempered, `blocked_token_ids` left out.
    Gradients flow to the language model and, unless `image_features` are given, the vision tower.
    """
    packed = pack(questions, groups)
    if image_features is None:
        image_features = encode_images(model, questions)
    hidden = _hidden_at_responses(model, packed, image_features)
    target = packed.target.to(hidden.device)
    blocked = torch.tensor(blocked_token_ids, dtype=torch.int64).to(hidden.device)
    rows = max(LOGITS_AT_ONCE // model.model.language_model.config.vocab_size, 1)
    score = partial(
        _score_in_chunks, target=target, blocked=blocked, temperature=temperature, rows=rows
    )
    logprobs, entropies = model.lm_head(hidden, score)
    slot = tuple(packed.slot.to(hidden.device))
    empty = torch.zeros(_shape(groups), device=hidden.device)
    return ResponseLogprobs(
        logprobs=empty.index_put(slot, logprobs),
        entropies=empty.index_put(slot, entropies),
        mask=empty.bool().index_put(slot, torch.ones_like(target, dtype=torch.bool)),
    )


def response_logprobs_in_passes(
    model: QwenModel,
    questions: Sequence[EncodedPrompt],
    groups: Sequence[Responses],
    *,
    temperature: float,
    blocked_token_ids: Sequence[int],
    tokens_per_pass: int,
    image_features: Sequence[Tensor] | None = None,
) -> Tensor:
    """Log-probabilities [Q, G, T] of all `questions` without gradient, a pass at a time."""
    result = torch.zeros(_shape(groups), device=model.device)
    for rows in split_passes(questions, groups, tokens_per_pass):
        with torch.no_grad():
            part = response_logprobs(
                model,
                [questions[row] for row in rows],
                [groups[row] for row in rows],
                temperature=temperature,
                blocked_token_ids=blocked_token_ids,
                image_features=image_features and [image_features[row] for row in rows],
            ).logprobs
        result[rows, :, : part.shape[2]] = part
    return result


def _shape(groups: Sequence[Responses]) -> tuple[int, int, int]:
    """[Q, G, T]; T is one at least."""
    times = max((len(response) for group in groups for response in group), default=0)
    return len(groups), len(groups[0]), max(times, 1)


def _hidden_at_responses(
    model: QwenModel, packed: Packed, image_features: Sequence[Tensor]
) -> Tensor:
    """The last hidden states [N, H] that predict the response tokens."""
    device = model.device
    output = model.model.language_model(
        **embed_tokens(model, packed.input_ids.to(device), image_features),
        position_ids=packed.position_ids.to(device),
        packed_rows=PackedRows(packed.owner.to(device)),
        use_cache=False,
    )
    row, place = packed.source.to(device)
    return output.last_hidden_state[row, place]


def _score_in_chunks(
    logits: Callable[[Tensor], Tensor],
    hidden: Tensor,
    target: Tensor,
    blocked: Tensor,
    temperature: float,
    rows: int,
) -> tuple[Tensor, Tensor]:
    """Log-probability of each target [N] and the entropy [N] at its position, `rows` at once."""
    parts = []
    for states, tokens in zip(hidden.split(rows), target.split(rows), strict=True):
        inputs = (logits, states, tokens, blocked, temperature)
        if len(hidden) > rows and torch.is_grad_enabled():
            # Each chunk's logits are computed again in the backward pass instead of kept.
            parts.append(checkpoint(_score, *inputs, use_reentrant=False))
        else:
            parts.append(_score(*inputs))
    logprobs, entropies = zip(*parts, strict=True)
    return torch.cat(logprobs), torch.cat(entropies)


def _score(
    logits: Callable[[Tensor], Tensor],
    hidden: Tensor,
    target: Tensor,
    blocked: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    table = next_token_logprobs(logits(hidden), blocked, temperature)
    with torch.no_grad():
        entropies = -(table.exp() * table).sum(dim=-1)
    return table.gather(1, target[:, None])[:, 0], entropies
