"""The rows in flight: filled with prompts, run some steps, and emptied of what is finished.

A row answers one response at a time; what it answers, its owner, is the caller's to name. A row's
response depends on its prompt and its key alone, not on the row, on its neighbours, or on what the
row held before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.decode import Draw, Sampling, State
from samr1.rollout.distribution import Key, keyed_uniforms
from samr1.rollout.inputs import embed_tokens
from samr1.rollout.runners import Runner, choose_runner
from samr1.rollout.slots import Slots


@dataclass(frozen=True)
class Finished:
    """The response of `owner`: token ids, the stop token included.

    `logprobs` [T] float32 on the CPU, of the distribution that was drawn from (before top-p);
    `truncated` where the length limit cut it short.
    """

    owner: Any
    tokens: list[int]
    logprobs: Tensor
    truncated: bool


@dataclass(frozen=True)
class _Tenant:
    """Who a row answers, the length of its prompt, and the step after which it was filled."""

    owner: Any
    prompt: int
    since: int


class Rows:
    """Some rows on a policy's device and the runner that decodes them."""

    def __init__(
        self,
        policy: Policy,
        count: int,
        longest: int,
        sampling: Sampling,
        runner: type[Runner] | None = None,
    ) -> None:
        """`count` free rows for prompts of up to `longest` tokens; `runner` is the device's own."""
        model = policy.model
        make = runner or choose_runner(model.device.type == "cuda")
        self.longest = longest
        self.draw = Draw.of(policy, sampling)
        places = count_places(longest, sampling.max_new_tokens, make.grain)
        text = model.model.language_model
        weight = next(text.parameters())
        self.slots = Slots(text.config, count, places, weight)
        self.state = State.empty(count, sampling, weight.device)
        self.runner = make(self.draw, self.slots, self.state)
        self._tenants: list[_Tenant | None] = [None] * count
        self._steps, self._window = 0, 0  # taken so far, and the places of the last of them

    @property
    def free(self) -> int:
        """How many rows answer nobody."""
        return self._tenants.count(None)

    @property
    def busy(self) -> int:
        """How many rows answer somebody."""
        return len(self._tenants) - self.free

    @torch.no_grad()
    def fill(
        self,
        questions: Sequence[EncodedPrompt],
        image_features: Sequence[Tensor],
        owners: Sequence[Sequence[Any]],
        keys: Sequence[Sequence[Key]] | None = None,
    ) -> None:
        """Run each question's prompt once, and draw a first token for each of its `owners`.

        `keys` are the owners' own, with which their draws are made; None where decoding is greedy.
        Raises ValueError where a prompt is too long for the rows, there are too few of them, or
        keys are missing.
        """
        if (keys is None) != (self.draw.sampling.temperature == 0):
            raise ValueError("greedy rows have no keys, and all others need them")
        asked = [(source, owner) for source, group in enumerate(owners) for owner in group]
        lengths = [len(question.input_ids) for question in questions]
        if len(asked) > self.free or max(lengths) > self.longest:
            raise ValueError(
                f"{len(asked)} responses to prompts of up to {max(lengths)} tokens, and there are "
                f"{self.free} rows for prompts of up to {self.longest}"
            )
        taken = [row for row, tenant in enumerate(self._tenants) if tenant is None][: len(asked)]
        for row, (source, owner) in zip(taken, asked, strict=True):
            self._tenants[row] = _Tenant(owner, lengths[source], self._steps)
        sources = [source for source, _ in asked]
        hidden = self._prefill(questions, image_features, taken, sources)
        device, limit = hidden.device, self.draw.sampling.max_new_tokens
        uniforms = first = None
        if keys is not None:
            draws = [keyed_uniforms(key, limit) for group in keys for key in group]
            uniforms = torch.stack(draws).to(device)
            first = uniforms[:, 0]
        starts = torch.tensor([questions[source].response_start for source in sources])
        table = self.draw.table(hidden)[torch.tensor(sources, device=device)]
        self.state.begin(
            torch.tensor(taken, device=device),
            starts.to(device),
            uniforms,
            *self.draw.token(table, first),
            self.draw.policy.stop_token_id,
        )

    def advance(self) -> list[Finished]:
        """Let all rows say some tokens more; what has finished, whose rows are free then."""
        tenants = [tenant for tenant in self._tenants if tenant is not None]
        # A row has said one token when it is filled, so the youngest needs one step fewer.
        youngest = max(tenant.since for tenant in tenants)
        left = youngest + self.draw.sampling.max_new_tokens - 1 - self._steps
        steps = min(self.runner.together, left)
        self._steps += steps
        # A step reads one token more than the step before, first the one after the prompt.
        needed = self._steps + max(tenant.prompt - tenant.since for tenant in tenants)
        self._window = min(_round_up(needed, self.runner.grain), self.slots.places)
        used = self._used() if self.runner.compacts else len(self._tenants)
        self.runner.run(steps, used, self._window)
        return self._collect(used)

    def _prefill(
        self,
        questions: Sequence[EncodedPrompt],
        image_features: Sequence[Tensor],
        rows: Sequence[int],
        sources: Sequence[int],
    ) -> Tensor:
        """Run the prompts into their rows; the last hidden state of each, [Q, H].

        They are padded on the right, where no token of a prompt looks, so that causal is enough.
        """
        model = self.draw.policy.model
        lengths = torch.tensor([len(question.input_ids) for question in questions])
        longest = int(lengths.max())
        input_ids = torch.zeros(len(questions), longest, dtype=torch.int64)
        positions = torch.zeros(3, len(questions), longest, dtype=torch.int64)
        for row, question in enumerate(questions):
            input_ids[row, : lengths[row]] = question.input_ids
            positions[:, row, : lengths[row]] = question.position_ids
        lengths = lengths.to(model.device)
        hidden = model.model.language_model(
            **embed_tokens(model, input_ids.to(model.device), image_features),
            position_ids=positions.to(model.device),
            past_key_values=self.slots.prompts(rows, sources, lengths),
            use_cache=True,
        ).last_hidden_state
        last: Tensor = hidden[torch.arange(len(questions), device=model.device), lengths - 1]
        return last

    def _used(self) -> int:
        """One past the last row that answers somebody."""
        return max(row for row, tenant in enumerate(self._tenants) if tenant is not None) + 1

    def _collect(self, used: int) -> list[Finished]:
        """Take what is done out of the first `used` rows."""
        done = self.state.done.narrow(0, 0, used).tolist()
        rows = [row for row in range(used) if done[row] and self._tenants[row] is not None]
        if not rows:
            return []
        found = self._read(rows)
        for row in rows:
            self._tenants[row] = None
        if self.runner.compacts and self.busy:
            self._close_up()
        return found

    def _read(self, rows: list[int]) -> list[Finished]:
        at = torch.tensor(rows, device=self.state.done.device)
        said = self.state.said[at].tolist()
        tokens, logprobs = self.state.tokens[at].tolist(), self.state.logprobs[at].cpu()
        stop, found = self.draw.policy.stop_token_id, []
        for row, length, ids, kept in zip(rows, said, tokens, logprobs, strict=True):
            tenant = self._tenants[row]
            assert tenant is not None
            ids = ids[:length]
            found.append(Finished(tenant.owner, ids, kept[:length].clone(), ids[-1] != stop))
        return found

    def _close_up(self) -> None:
        """Move rows from the end into the holes before them, as few as there are holes."""
        holes = [row for row in range(self.busy) if self._tenants[row] is None]
        movers = [
            row for row in range(self.busy, len(self._tenants)) if self._tenants[row] is not None
        ]
        if not holes:
            return
        self.slots.move(holes, movers, self._window)
        self.state.move(holes, movers)
        for hole, mover in zip(holes, movers, strict=True):
            self._tenants[hole], self._tenants[mover] = self._tenants[mover], None


def count_places(prompt: int, limit: int, grain: int) -> int:
    """The places of a row for prompts of up to `prompt` tokens and responses of up to `limit`.

    A full row's last token is never read, which leaves a place for what it writes when done.
    """
    return _round_up(prompt + limit, grain)


def _round_up(number: int, grain: int) -> int:
    return -(-number // grain) * grain
