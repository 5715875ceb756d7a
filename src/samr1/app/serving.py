"""`samr1 demo`: the page, and the one request that it makes.

A request goes through the model alone; a few wait, and more are sent away. What is uploaded stays
in memory and is gone with its answer.
"""

from __future__ import annotations

import asyncio
import base64
import io
import ipaddress
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from samr1.app.answer_files import describe_answer
from samr1.app.guard import Guard
from samr1.app.model import Samr1
from samr1.app.questions import check_question
from samr1.core.errors import UserError
from samr1.data.images import load_picture
from samr1.data.painting import paint_mask

PAGE = Path(str(resources.files("samr1") / "app/page"))
_MEDIA = {
    "index.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "example.jpg": "image/jpeg",
}


@dataclass(frozen=True)
class Limits:
    """What one request may bring, and how many may be there at once."""

    bytes: int = 20_000_000
    pixels: int = 30_000_000
    waiting: int = 8  # requests, the one that is answered included
    upload_seconds: float = 60.0


@dataclass
class _Queue:
    """Lets one request at a time to the model, and a few wait."""

    limit: int
    there: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        if self.there >= self.limit:
            raise HTTPException(503, "too many are waiting for the model; try again in a minute.")
        self.there += 1
        try:
            yield
        finally:
            self.there -= 1


def build_app(
    model: Samr1,
    who: str,
    names: frozenset[str] = frozenset({"localhost"}),
    limits: Limits = Limits(),
) -> ASGIApp:
    """The page for `model`, which `who` describes, under the host `names` and every address."""
    queue = _Queue(limits.waiting)

    async def about(request: Request) -> Response:
        return JSONResponse({"who": who, "bytes": limits.bytes, "pixels": limits.pixels})

    async def segment(request: Request) -> Response:
        question = check_question(request.query_params.get("question", ""))
        async with queue.place():
            content = await _receive(request, limits)
            async with queue.turn:
                if await request.is_disconnected():
                    return Response(status_code=204)  # nobody is there to be answered
                described = await run_in_threadpool(
                    _answer, model, content, question, limits.pixels
                )
        return JSONResponse(described)

    page = Starlette(
        routes=[
            Route("/", _file("index.html")),
            *(Route(f"/{name}", _file(name)) for name in _MEDIA),
            Route("/about", about),
            Route("/segment", segment, methods=["POST"]),
        ],
        exception_handlers={UserError: _say, HTTPException: _say, Exception: _fail},
    )
    return Guard(page, names)


def _file(name: str) -> Any:
    async def send(request: Request) -> Response:
        return FileResponse(PAGE / name, media_type=_MEDIA[name])

    return send


async def _say(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code)
    return JSONResponse({"error": str(error)}, 422)


async def _fail(request: Request, error: Exception) -> Response:
    # The traceback goes to the terminal, whose person can do something about it.
    return JSONResponse({"error": "the model failed; the terminal of samr1 demo says how."}, 500)


async def _receive(request: Request, limits: Limits) -> bytes:
    """The picture that is uploaded; raises HTTPException where it is too large or too slow."""
    content = bytearray()
    too_large = HTTPException(
        413, f"the picture has more than {limits.bytes:,} bytes; take a smaller one."
    )
    if int(request.headers.get("content-length", "0")) > limits.bytes:
        raise too_large
    try:
        async with asyncio.timeout(limits.upload_seconds):
            async for part in request.stream():
                content += part
                if len(content) > limits.bytes:
                    raise too_large
    except TimeoutError as error:
        raise HTTPException(
            408, f"the picture was not here after {limits.upload_seconds:g} seconds; try again."
        ) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the upload was broken off.") from error
    return bytes(content)


def _answer(model: Samr1, content: bytes, question: str, max_pixels: int) -> dict[str, Any]:
    """One answer as the page shows it; the mask is the data URL of a PNG to lay over it."""
    pixels = load_picture(content, "the picture", max_pixels)
    answer = model.segment(pixels, [question])[0]
    return {
        **describe_answer(answer),
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "area": 0 if answer.mask is None else int(answer.mask.sum()),
        "mask": None if answer.mask is None else _data_url(paint_mask(answer.mask)),
    }


def _data_url(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, format="PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host`; raises UserError where that cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"--host {host}: is no address of this machine ({error}).") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        raise UserError(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port, or 0 "
            "for a free one."
        ) from error
    return listening


def serve(model: Samr1, who: str, host: str, listening: socket.socket) -> None:
    """Serve the page on `listening` until Ctrl-C or SIGTERM."""
    names = frozenset({"localhost", host.lower(), socket.gethostname().lower()})
    config = uvicorn.Config(
        build_app(model, who, names),
        log_level="warning",
        access_log=False,  # it would hold the questions
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        limit_concurrency=64,
        h11_max_incomplete_event_size=16_384,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    address = f"[{host}]" if ":" in host else host
    if not ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
        print("note: not this machine alone, but whoever can reach it can ask.", file=sys.stderr)
    print(f"http://{address}:{listening.getsockname()[1]}/ (Ctrl-C ends it)", flush=True)
    with suppress(KeyboardInterrupt):  # its own signal again, after all is closed
        uvicorn.Server(config).run(sockets=[listening])
