"""The page under a crowd: who only connects, uploads slowly or asks much denies it to nobody."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from demo_server import ABOUT, LIMITS, POST, ask, served

from samr1.app.connections import first_of_most
from samr1.core.errors import UserError


class Slow:
    """In the model's place: refuses, after a while, and counts how many are in it at once."""

    def __init__(self, seconds: float = 0.3) -> None:
        self.seconds = seconds
        self.there = self.most = self.answered = 0

    def segment(self, pixels: Any, questions: list[str]) -> list[Any]:
        self.there += 1
        self.most = max(self.most, self.there)
        time.sleep(self.seconds)
        self.there -= 1
        self.answered += 1
        raise UserError("enough.")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(Slow(0.0)) as number:
        yield number


def test_one_request_is_answered_at_a_time_and_few_wait() -> None:
    model = Slow()
    with served(model) as port, ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, port) for _ in range(6)]
        statuses = [future.result()[0] for future in asked]
        assert model.most == 1
        assert model.answered == statuses.count(422) == LIMITS.of_client
        assert statuses.count(503) == 4
        assert ask(port)[0] == 422  # places are given back


def test_one_client_does_not_take_all_places() -> None:
    model = Slow()
    with served(model) as port, ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, port) for _ in range(6)]
        while not model.there:
            assert not all(future.done() for future in asked)
        assert ask(port, client="127.0.0.2")[0] == 422
        assert [future.result()[0] for future in asked].count(422) == LIMITS.of_client


@contextmanager
def crowd(port: int, count: int, said: bytes, client: str) -> Iterator[list[socket.socket]]:
    """Connections from `client` that say so much, and no more."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port), 20, (client, 0))
            found.append(stack.enter_context(one))
            one.sendall(said)
            if said == ABOUT:
                one.recv(65_536)
        yield found


@pytest.mark.parametrize("client", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: ",
        POST + b"Content-Length: 1000\r\n\r\nx",
        POST + b"Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        ABOUT,
    ],
)
def test_a_crowd_that_asks_nothing_denies_it_to_nobody(port: int, said: bytes, client: str) -> None:
    with crowd(port, 200, said, client):
        assert ask(port, b"", method="GET", path="/")[0] == 200
        assert ask(port)[0] == 422  # the model was asked


def drip(connection: socket.socket, parts: bytes) -> bytes:
    """What is answered to `parts`, which are said byte by byte until the connection is closed."""
    answered = b""
    for place in range(len(parts)):
        try:
            connection.sendall(parts[place : place + 1])
            if select.select([connection], [], [], 0.02)[0]:
                answered += connection.recv(65_536)
                if not connection.recv(65_536):
                    return answered
        except ConnectionError:
            return answered
    raise AssertionError("nobody closed it")


def test_who_is_slow_is_sent_away(port: int) -> None:
    """However steadily it goes on: a header has one time, and so has a body."""
    long = b"x" * 1_000
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert drip(connection, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + long) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert connection.recv(1) == b""  # says nothing at all
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        assert b" 408 " in drip(connection, long)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(ABOUT)
        assert b" 200 " in drip(connection, b"GET / HTTP/1.1\r\nA: " + long)  # the next one


def test_who_has_most_makes_way_first() -> None:
    assert first_of_most(["a", "a"]) == 0
    assert first_of_most(["a", "b", "c", "b", "c"]) == 1
