"""The page on a free port, and questions to it, as the tests of it ask them."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from samr1.app.connections import Limits
from samr1.app.serving import PAGE, listen, make_server

QUESTION = "the blue triangle that is left of the red circle"
POST = b"POST /segment?question=x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
ABOUT = b"GET /about HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PICTURE = (PAGE / "example.jpg").read_bytes()
LIMITS = Limits(
    bytes=100_000,
    pixels=40_000,
    header_seconds=0.5,
    upload_seconds=0.5,
    connections=20,
    uploads=3,
    waiting=3,
    of_client=2,
)


@contextmanager
def served(model: Any) -> Iterator[int]:
    """The page of `model` on a free port of the loopback interface, in a thread."""
    with listen("127.0.0.1", 0) as listening:
        server = make_server(model, "policy <b>micro</b>", frozenset({"localhost"}), LIMITS)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


def ask(
    port: int,
    body: bytes = PICTURE,
    question: str = QUESTION,
    method: str = "POST",
    path: str = "/segment",
    client: str = "127.0.0.1",
    **headers: str,
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON (or bytes) of one request's answer."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=60, source_address=(client, 0)
    )
    connection.request(method, f"{path}?question={quote(question)}", body, headers)
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    said = {name.lower(): value for name, value in reply.getheaders()}
    is_json = said.get("content-type") == "application/json"
    return reply.status, said, json.loads(content) if is_json else content
