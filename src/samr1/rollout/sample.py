"""Sampling a group of responses for each question.

The image is encoded and the prompt prefilled once a question; the key-value cache is then expanded
to the group. Randomness is keyed: a response's draws depend on its own key alone, neither on the
batch that it is in nor on how long its neighbours are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.cache import RoomyCache
from samr1.rollout.distribution import next_token_logprobs
from samr1.rollout.inputs import embed_tokens, encode_images

Key = tuple[int | str, ...]


@dataclass(frozen=True)
class Group:
    """The sampled responses of one question.

    `responses` G lists of token ids, the stop token included; `logprobs` G tensors [T_i] float32
    on the CPU, of the distribution that was sampled from (before top-p); `truncated` G flags, true
    where the length limit cut a response short.
    """

    responses: list[list[int]]
    logprobs: list[Tensor]
    truncated: list[bool]


@torch.no_grad()
def sample_groups(
    policy: Policy,
    questions: Sequence[EncodedPrompt],
    *,
    group_size: int,
    temperature: float,
    top_p: float = 1.0,
    max_new_tokens: int,
    keys: Sequence[Key] | None = None,
    image_features: Sequence[Tensor] | None = None,
) -> list[Group]:
    """Sample `group_size` responses for each question, all questions in one batch.

    `temperature` 0 is greedy and needs no `keys`; otherwise `keys` has one key a question, say
    (seed, step, sample), and response i draws from the key (*key, i). `image_features` are those of
    `encode_images`, where they are known already.
    """
    uniforms = None
    if temperature > 0:
        if keys is None or len(keys) != len(questions):
            raise ValueError("sampling needs one key a question")
        draws = [_uniforms((*key, i), max_new_tokens) for key in keys for i in range(group_size)]
        uniforms = torch.stack(draws).to(policy.model.device)
    if image_features is None:
        image_features = encode_images(policy.model, questions)
    cache, hidden, pads = _prefill(policy, questions, image_features, max_new_tokens)
    rows = torch.arange(len(questions), device=hidden.device).repeat_interleave(group_size)
    cache.repeat_rows(group_size)
    starts = torch.tensor([question.response_start for question in questions])
    state = _Decoding(
        visible=_visible(pads, cache.get_seq_length(), max_new_tokens)[rows],
        starts=starts.to(rows)[rows],
        rows=torch.arange(len(rows), device=rows.device),
    )
    tokens, logprobs, lengths, stopped = _decode(
        policy, cache, state, hidden[rows], uniforms, temperature, top_p, max_new_tokens
    )
    responses = [row[:length] for row, length in zip(tokens.tolist(), lengths, strict=True)]
    kept = [row[:length] for row, length in zip(logprobs.cpu(), lengths, strict=True)]
    spans = [
        slice(start, start + group_size)
        for start in range(0, len(questions) * group_size, group_size)
    ]
    return [
        Group(responses[span], kept[span], [not flag for flag in stopped[span]]) for span in spans
    ]


def _uniforms(key: Key, count: int) -> Tensor:
    """`count` uniforms in [0, 1), float64, that depend on `key` alone."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest) >> 1)
    return torch.rand(count, generator=generator, dtype=torch.float64)


@dataclass
class _Decoding:
    """The rows still being decoded, B of them."""

    visible: Tensor  # [B, P + T] bool, which cached tokens a row may see
    starts: Tensor  # [B] int64, the position id of the first response token
    rows: Tensor  # [B] int64, where the row stands in the whole batch

    def reorder(self, order: Tensor) -> None:
        """Keep the rows `order` (int64), in that order."""
        self.visible = self.visible[order]
        self.starts, self.rows = self.starts[order], self.rows[order]


def _prefill(
    policy: Policy, questions: Sequence[EncodedPrompt], image_features: Sequence[Tensor], room: int
) -> tuple[RoomyCache, Tensor, Tensor]:
    """Run the prompts, padded on the left: the cache, the last hidden state [Q, H], the padding."""
    model = policy.model
    longest = max(len(question.input_ids) for question in questions)
    pads = torch.tensor([longest - len(question.input_ids) for question in questions])
    input_ids = torch.zeros(len(questions), longest, dtype=torch.int64)
    positions = torch.zeros(3, len(questions), longest, dtype=torch.int64)
    for row, (question, pad) in enumerate(zip(questions, pads.tolist(), strict=True)):
        input_ids[row, pad:] = question.input_ids
        positions[:, row, pad:] = question.position_ids
    order = torch.arange(longest)
    causal = order[:, None] >= order[None, :]
    real = order[None, :] >= pads[:, None]
    # A padding token sees itself, so that no row of the softmax is empty.
    mask = (causal[None] & real[:, None, :]) | torch.eye(longest, dtype=torch.bool)[None]
    cache = RoomyCache(model.model.language_model.config, room)
    output = model.model.language_model(
        inputs_embeds=embed_tokens(model, input_ids.to(model.device), image_features),
        position_ids=positions.to(model.device),
        attention_mask=mask[:, None].to(model.device),
        past_key_values=cache,
        use_cache=True,
    )
    return cache, output.last_hidden_state[:, -1], pads.to(model.device)


def _visible(pads: Tensor, prompt_length: int, room: int) -> Tensor:
    """Which of prompt_length + room cached tokens each row may see: all but its padding."""
    order = torch.arange(prompt_length + room, device=pads.device)
    return order[None, :] >= pads[:, None]


def _decode(
    policy: Policy,
    cache: RoomyCache,
    state: _Decoding,
    hidden: Tensor,
    uniforms: Tensor | None,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
) -> tuple[Tensor, Tensor, list[int], list[bool]]:
    """Draw tokens until every row has stopped or is full; finished rows leave the batch.

    `hidden` [B, H] is the prompts' last state, from which the first token is drawn. Returns tokens
    [B, T], their log-probabilities [B, T], and by row the length and whether it
    stopped of itself.
    """
    total, device = len(state.rows), hidden.device
    prompt_length = cache.get_seq_length()
    tokens = torch.zeros(total, max_new_tokens, dtype=torch.int64, device=device)
    logprobs = torch.zeros(total, max_new_tokens, device=device)
    lengths = torch.full((total,), max_new_tokens, device=device)
    stopped = torch.zeros(total, dtype=torch.bool, device=device)
    needs_mask = not bool(state.visible.all())
    for t in range(max_new_tokens):
        table = next_token_logprobs(
            policy.model.lm_head(hidden), policy.blocked_token_ids, temperature
        )
        chosen = _choose(table, None if uniforms is None else uniforms[state.rows, t], top_p)
        tokens[state.rows, t] = chosen
        logprobs[state.rows, t] = table.gather(1, chosen[:, None])[:, 0]
        ended = chosen == policy.stop_token_id
        if bool(ended.any()):
            lengths[state.rows[ended]] = t + 1
            stopped[state.rows[ended]] = True
            if bool(ended.all()):
                break
            order = cache.drop_rows(~ended)
            state.reorder(order)
            chosen = chosen[order]
        if t + 1 == max_new_tokens:
            break
        seen = state.visible[:, None, None, : prompt_length + t + 1]
        hidden = policy.model.model.language_model(
            inputs_embeds=policy.model.get_input_embeddings()(chosen)[:, None],
            position_ids=(state.starts + t)[None, :, None].expand(3, -1, -1),
            attention_mask={"full_attention": seen if needs_mask else None},
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
    return tokens, logprobs, lengths.tolist(), stopped.tolist()


def _choose(table: Tensor, uniforms: Tensor | None, top_p: float) -> Tensor:
    """A token a row [B] from log-probabilities [B, V]: greedy, or by inverse CDF of `uniforms`."""
    if uniforms is None:
        return table.argmax(dim=-1)
    probabilities = table.double().exp()
    if top_p < 1:
        probabilities = _nucleus(probabilities, top_p)
    heights = probabilities.cumsum(dim=-1)
    # Strictly above the draw, so that a token of probability 0 is never chosen.
    return torch.searchsorted(heights, uniforms[:, None] * heights[:, -1:], right=True)[:, 0]


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest tokens whose probabilities reach `top_p` together; the rest become 0."""
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter(1, order, ordered * (before < top_p))
