"""One decoding step: every row in flight says one more token.

Its shapes never change, everything that it leaves behind is written in place, the host reads no
value, and nothing comes from the host's memory: so a GPU can record it once and replay it, and what
the CPU runs is what a GPU records. Rows that are done take part and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from samr1.policy.model import Policy
from samr1.rollout.distribution import choose, next_token_logprobs
from samr1.rollout.slots import Window


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn: `temperature` 0 is greedy, `max_new_tokens` the limit of each."""

    temperature: float
    top_p: float
    max_new_tokens: int


@dataclass(frozen=True)
class Draw:
    """How a token is drawn from a state, with all that this needs on the policy's device."""

    policy: Policy
    sampling: Sampling
    blocked: Tensor  # [N] int64, the ids that are never drawn

    @classmethod
    def of(cls, policy: Policy, sampling: Sampling) -> Draw:
        """Copies the blocked ids to the policy's device, once."""
        blocked = torch.tensor(policy.blocked_token_ids, dtype=torch.int64)
        return cls(policy, sampling, blocked.to(policy.model.device))

    def table(self, hidden: Tensor) -> Tensor:
        """Log-probabilities [B, V] float32 of the next token after the states [B, H]."""
        logits = self.policy.model.lm_head(hidden)
        return next_token_logprobs(logits, self.blocked, self.sampling.temperature)

    def token(self, table: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
        """Tokens [B] from `table` by `uniforms` [B], and their log-probabilities [B]."""
        token = choose(table, uniforms, self.sampling.top_p)
        return token, table.gather(1, token.unsqueeze(1)).squeeze(1)


@dataclass(frozen=True)
class State:
    """What B rows have said, T tokens at most; written in place, never replaced.

    A row that is done writes behind its last token, again and again: a full one has a place there.
    """

    tokens: Tensor  # [B, T + 1] int64
    logprobs: Tensor  # [B, T + 1] float32, of the distribution that was drawn from, before top-p
    said: Tensor  # [B] int64, how many tokens; at least one
    done: Tensor  # [B] bool: has stopped, is full, or was never filled
    starts: Tensor  # [B] int64, the position id of the first token
    uniforms: Tensor | None  # [B, T + 1] float64 in [0, 1), a draw for each token; None: greedy

    @classmethod
    def empty(cls, rows: int, sampling: Sampling, device: torch.device) -> State:
        """Rows that are done, having said token 0."""
        shape = (rows, sampling.max_new_tokens + 1)
        zeros = partial(torch.zeros, device=device)
        return cls(
            tokens=zeros(shape, dtype=torch.int64),
            logprobs=zeros(shape),
            said=torch.ones(rows, dtype=torch.int64, device=device),
            done=torch.ones(rows, dtype=torch.bool, device=device),
            starts=zeros(rows, dtype=torch.int64),
            uniforms=zeros(shape, dtype=torch.float64) if sampling.temperature else None,
        )

    def first(self, rows: int) -> State:
        """The first `rows` rows: views, through which these are written."""
        return replace(self, **{name: part.narrow(0, 0, rows) for name, part in self._parts()})

    def begin(
        self,
        rows: Tensor,
        starts: Tensor,
        uniforms: Tensor | None,
        token: Tensor,
        logprob: Tensor,
        stop: int,
    ) -> None:
        """Let `rows` [R] begin anew with their first `token` [R]; `uniforms` [R, T] are all draws.

        What they said before stands behind it until they say more.
        """
        if self.uniforms is not None and uniforms is not None:
            self.uniforms[rows, :-1] = uniforms
        self.tokens[rows, 0], self.logprobs[rows, 0] = token, logprob
        self.starts[rows], self.said[rows] = starts, 1
        self.done[rows] = (token == stop) | (self.tokens.shape[1] == 2)

    def move(self, targets: Sequence[int], sources: Sequence[int]) -> None:
        """Let the rows `targets` hold what `sources` hold, none of which is a target."""
        to, of = (torch.tensor(part, device=self.done.device) for part in (targets, sources))
        for _, part in self._parts():
            part[to] = part[of]

    def last(self) -> Tensor:
        """The latest token of each row, [B]."""
        return self.tokens.gather(1, self.said.unsqueeze(1) - 1).squeeze(1)

    def draws(self) -> Tensor | None:
        """The uniform of each row's next token, [B]."""
        if self.uniforms is None:
            return None
        return self.uniforms.gather(1, self.said.unsqueeze(1)).squeeze(1)

    def add(self, token: Tensor, logprob: Tensor, stop: int) -> None:
        """Append a token [B] to the rows that are not done; `stop` or a full row ends one."""
        at = self.said.unsqueeze(1)
        self.tokens.scatter_(1, at, token.unsqueeze(1))
        self.logprobs.scatter_(1, at, logprob.unsqueeze(1))
        self.said.add_(self.done.logical_not())
        self.done.logical_or_((token == stop) | (self.said == self.tokens.shape[1] - 1))

    def _parts(self) -> list[tuple[str, Tensor]]:
        return [(name, part) for name, part in vars(self).items() if part is not None]


@torch.no_grad()
def decode_step(draw: Draw, window: Window, state: State) -> None:
    """Read the last token of each row of `state`, and say the next one."""
    model = draw.policy.model
    position = state.starts + state.said - 1
    hidden = model.model.language_model(
        inputs_embeds=model.get_input_embeddings()(state.last()).unsqueeze(1),
        position_ids=position.unsqueeze(1).expand(3, -1, -1),
        attention_mask=window.advance(state.done),
        past_key_values=window,
        use_cache=True,
    ).last_hidden_state.squeeze(1)
    state.add(*draw.token(draw.table(hidden), state.draws()), draw.policy.stop_token_id)
