"""What a crowd can take of the page: connections and uploads, of which the oldest makes way.

Whoever opens connections without asking, or sends a picture byte by byte, only ever pushes out
others that do the same, first those of the client that has most: a request needs a moment.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True)
class Limits:
    """What one request may bring and how long that may take, and how many may be there at once."""

    bytes: int = 20_000_000
    pixels: int = 30_000_000
    header_seconds: float = 10.0
    upload_seconds: float = 60.0
    connections: int = 64  # that ask nothing yet, or are being answered
    uploads: int = 8
    waiting: int = 8  # requests for the model, the one that is answered included
    of_client: int = 4  # of these, from one address


def first_of_most(clients: Sequence[str]) -> int:
    """Who makes way: of the client that stands there most often, the first.

    >>> first_of_most(["a", "b", "c", "b"])
    1
    """
    count = Counter(clients)
    return max(range(len(clients)), key=lambda i: (count[clients[i]], -i))


class Connection(H11Protocol):
    """One of uvicorn's, which must ask in time and makes way where there are too many.

    uvicorn itself waits for a first request, or for the rest of one, without end.
    """

    def __init__(self, limits: Limits, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self.limits = limits
        self.since = 0.0  # by the loop's clock: open, or done with the request before
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()
        idle = [one for one in self.connections if isinstance(one, Connection) and one.is_idle]
        if len(idle) > self.limits.connections:
            idle.sort(key=lambda one: one.since)
            idle[first_of_most([one.address for one in idle])].end()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._expect_request()
        super().on_response_complete()

    @property
    def address(self) -> str:
        """The client's."""
        return self.client[0] if self.client else ""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked that is not being answered: the model is not at work for it."""
        return self.cycle is None or self.cycle.more_body or self.cycle.response_started

    def end(self) -> None:
        """Close it, and count it no longer."""
        self.connections.discard(self)
        self.transport.abort()

    def _expect_request(self) -> None:
        self.since = self.loop.time()
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.loop.call_later(self.limits.header_seconds, self._end_silence)

    def _end_silence(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.end()


@dataclass
class Uploads:
    """The uploads under way: one too many ends another of them, as if its time were over."""

    limits: Limits
    running: list[tuple[str, asyncio.Timeout]] = field(default_factory=list)

    @contextmanager
    def add(self, client: str, time: asyncio.Timeout) -> Iterator[None]:
        """Count an upload of `client`, which `time` bounds, while it is under way."""
        one = (client, time)
        self.running.append(one)
        if len(self.running) > self.limits.uploads:
            _, oldest = self.running.pop(first_of_most([client for client, _ in self.running]))
            if not oldest.expired():
                oldest.reschedule(asyncio.get_running_loop().time())
        try:
            yield
        finally:
            if one in self.running:
                self.running.remove(one)
