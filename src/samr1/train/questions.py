"""A training's questions, made ready: each step's batch in the background, others on demand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Lock

from samr1.config.schema import TrainStage
from samr1.data.resizing import ImageStore
from samr1.policy.model import Policy
from samr1.train.batches import Batch, Sample, draw_batches, prepare_batch


class Questions:
    """The samples `rows` of a training, and the batches of them.

    `images` holds the resized images, the originals lie under `root`. Neither reading `images` nor
    encoding with the policy's tokenizer is for two threads: one batch is made at a time, and while
    there is a `Questions` nothing else may do either. Decoding tokens meanwhile is safe.
    """

    def __init__(
        self, policy: Policy, rows: list[Sample], images: ImageStore, root: Path, stage: TrainStage
    ) -> None:
        self.rows = rows
        self._policy = policy
        self._images = images
        self._root = root
        self._stage = stage
        self._encoding = Lock()

    def prepare(self, drawn: list[Sample], rank: int = 0, processes: int = 1) -> Batch:
        """What process `rank` needs for a step on `drawn`; raises as `prepare_batch`."""
        with self._encoding:
            return prepare_batch(
                self._policy, drawn, rank, processes, self._images, self._root, self._stage
            )

    def batches(self, first: int, steps: int, rank: int, processes: int) -> Iterator[Batch]:
        """The batches of the steps from `first` on, of `steps` in all, each made when asked for."""
        per_step = self._stage.train.questions_per_step
        drawn = draw_batches(len(self.rows), per_step, steps, self._stage.seed)
        for batch in islice(drawn, first, None):
            yield self.prepare([self.rows[index] for index in batch], rank, processes)
