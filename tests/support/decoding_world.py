"""Three prompts of unequal length, and rows that decode them as a GPU would."""

from __future__ import annotations

from typing import Any

from tiny import random_image

from samr1.policy.model import EncodedPrompt, Policy, encode_question
from samr1.rollout.decode import Draw, State
from samr1.rollout.inputs import encode_images
from samr1.rollout.runners import Captured, Step
from samr1.rollout.slots import Slots


def three_questions(policy: Policy) -> list[EncodedPrompt]:
    """Prompts of unequal length, two of unequal picture size."""
    return [
        encode_question(policy, random_image(0), "a ball", "qwen"),
        encode_question(policy, random_image(1, 84), "the thing left of the blue ring", "qwen"),
        encode_question(policy, random_image(2), "x", "qwen"),
    ]


def features_of(policy: Policy, questions: list[EncodedPrompt]) -> list[Any]:
    return [features.detach() for features in encode_images(policy.model, questions)]


class Tape:
    """Stands for `CudaRecorder`: takes the step once, and replays it by taking it again."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def __call__(self, step: Step) -> Step:
        step()
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            step()

        return replay


class Taped(Captured):
    """A captured runner on the CPU, with a GPU's habits at a tiny policy's size."""

    together = 4

    def __init__(self, draw: Draw, slots: Slots, state: State) -> None:
        self.tape = Tape()
        super().__init__(draw, slots, state, self.tape)
