"""The policy as training runs it: DeepSpeed wraps it, and a check tries it beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from samr1.policy.model import EncodedPrompt, Policy
from samr1.rollout.logprobs import response_logprobs
from samr1.rollout.packing import Responses


class Scorer(nn.Module):
    """A policy whose forward pass is the log-probabilities of responses."""

    def __init__(self, policy: Policy, temperature: float, gradient_checkpointing: bool) -> None:
        super().__init__()
        self.model = policy.model
        self.blocked_token_ids = policy.blocked_token_ids
        self.temperature = temperature
        self._recomputed: list[nn.Module] = []
        if gradient_checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})
            layers = (m for m in self.model.modules() if isinstance(m, GradientCheckpointingLayer))
            self._recomputed = list(layers)

    def forward(
        self,
        questions: Sequence[EncodedPrompt],
        groups: Sequence[Responses],
        image_features: Sequence[Tensor] | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        with self._recomputing():
            scored = response_logprobs(
                self.model,
                questions,
                groups,
                temperature=self.temperature,
                blocked_token_ids=self.blocked_token_ids,
                image_features=image_features,
            )
        return scored.logprobs, scored.entropies, scored.mask

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        """While it is open, the checkpointed layers keep their input alone for the backward pass.

        `transformers` checkpoints a layer in training mode only, and then takes its cache away: so
        the mode is for these passes, and for the layers themselves; no dropout below them wakes.
        """
        for layer in self._recomputed:
            layer.training = True
        try:
            yield
        finally:
            for layer in self._recomputed:
                layer.training = False
