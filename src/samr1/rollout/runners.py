"""Who calls the decoding step: a loop, or a CUDA graph that was recorded from the same call.

Launched one by one, the thousand kernels of a step take a 7B policy's host longer than the GPU
needs to read the weights; replayed, they follow each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Protocol

import torch

from samr1.core.device import side_stream
from samr1.rollout.decode import Draw, State, decode_step
from samr1.rollout.slots import Slots

Step = Callable[[], None]
Recorder = Callable[[Step], Step]


class Runner(Protocol):
    """Takes decoding steps over the first rows and places of `slots` and `state`.

    `together` is how many steps it takes between two looks at what is done, `grain` what a window's
    places are a multiple of, `compacts` whether it gains by fewer rows.
    """

    together: int
    grain: int
    compacts: bool

    def __init__(self, draw: Draw, slots: Slots, state: State) -> None: ...

    def run(self, steps: int, rows: int, places: int) -> None:
        """Take `steps` steps over `rows` rows, none of which needs more than `places` places."""
        ...


def _step(draw: Draw, slots: Slots, state: State, rows: int, places: int) -> Step:
    """The decoding step over the first rows and places."""
    return partial(decode_step, draw, slots.window(rows, places), state.first(rows))


class Eager:
    """Calls the step: on a CPU."""

    together = 1
    grain = 8
    compacts = True

    def __init__(self, draw: Draw, slots: Slots, state: State) -> None:
        # One step after another has the same shape, and a tiny policy's is soon taken.
        self._step = lru_cache(1)(partial(_step, draw, slots, state))

    def run(self, steps: int, rows: int, places: int) -> None:
        """Take `steps` steps over `rows` rows, none of which needs more than `places` places."""
        step = self._step(rows, places)
        for _ in range(steps):
            step()


class CudaRecorder:
    """Records steps as CUDA graphs that share the memory for what a step needs meanwhile.

    That is some 200 MB, most of it tables over the vocabulary. Nothing of it outlives a step, so it
    does not matter which graph is replayed after which. Before each recording torch returns the
    memory that it keeps to the driver, which takes time: while it records it returns none, and
    would fail where the driver has none left.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = side_stream(device, "recording")
        self._memory = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step) -> Step:
        """Take `step` once, which loads its kernels, record it, and return what replays it."""
        usual = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(usual)
        with torch.cuda.stream(self._stream):
            step()
        usual.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads, which segment or read ahead, may allocate meanwhile.
        with torch.cuda.graph(
            graph, pool=self._memory, stream=self._stream, capture_error_mode="thread_local"
        ):
            step()
        return graph.replay


class Captured:
    """Records the step once a shape and replays it: on a GPU.

    Graphs live as long as this object, and it as long as a rollout or a prediction, in which no
    weight moves: what ZeRO 3 keeps in parts is gathered before. A training's memory is planned
    phase by phase, and at 7B the 16 rows of one of 8 GPUs hold 2 GB of keys and values, the 128
    rows of a single card 16 GB, of which the update has need. To record two or three shapes again
    in each step should take 0.3 s of some 15; `check_gpu` measures it.
    """

    # What is wasted on rows that have ended is less than what the host would wait.
    together = 16
    # A few shapes a rollout. Reading 256 places in vain takes a hundredth of a step's time.
    grain = 256
    compacts = False

    def __init__(
        self, draw: Draw, slots: Slots, state: State, record: Recorder | None = None
    ) -> None:
        """`record` takes a step once and returns what takes it again; a `CudaRecorder`, or None."""
        self._step = partial(_step, draw, slots, state)
        self._record = record or CudaRecorder(state.done.device)
        self._replays: dict[tuple[int, int], Step] = {}

    def run(self, steps: int, rows: int, places: int) -> None:
        """Take `steps` steps over `rows` rows, none of which needs more than `places` places."""
        shape = (rows, places)
        if steps and shape not in self._replays:
            self._replays[shape] = self._record(self._step(rows, places))
            steps -= 1  # the one before it was recorded counts
        for _ in range(steps):
            self._replays[shape]()


def choose_runner(cuda: bool) -> type[Runner]:
    """The runner that suits a policy on a GPU, or on a CPU."""
    return Captured if cuda else Eager
