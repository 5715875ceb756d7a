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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from samr1.app.answer_files import describe_answer
from samr1.app.connections import Connection, Limits, Uploads
from samr1.app.guard import HEADERS, Guard
from samr1.app.model import Samr1
from samr1.app.questions import check_question
from samr1.core.errors import UserError, printable, say
from samr1.data.images import load_picture
from samr1.data.painting import paint_mask

PAGE = Path(str(resources.files("samr1") / "app/page"))


@dataclass
class _Queue:
    """Lets one request at a time to the model, and a few wait, fewer of one client."""

    limits: Limits
    clients: list[str] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def place(self, client: str) -> AsyncIterator[None]:
        of_client = self.clients.count(client)
        if len(self.clients) >= self.limits.waiting or of_client >= self.limits.of_client:
            raise HTTPException(503, "too many are waiting for the model; try again in a minute.")
        self.clients.append(client)
        try:
            async with self.turn:
                yield
        finally:
            self.clients.remove(client)


def build_app(model: Samr1, who: str, names: frozenset[str], limits: Limits) -> ASGIApp:
    """The page for `model`, which `who` describes, under the host `names` and every address."""
    queue, uploads = _Queue(limits), Uploads(limits)

    async def about(request: Request) -> Response:
        return JSONResponse({"who": who, "bytes": limits.bytes, "pixels": limits.pixels})

    async def segment(request: Request) -> Response:
        question = check_question(request.query_params.get("question", ""))
        client = request.client.host if request.client else ""
        content = await _receive(request, client, uploads)
        async with queue.place(client):
            if await request.is_disconnected():
                return Response(status_code=204)  # nobody is there to be answered
            described = await run_in_threadpool(_answer, model, content, question, limits.pixels)
        return JSONResponse(described)

    return Starlette(
        routes=[
            Route("/about", about),
            Route("/segment", segment, methods=["POST"]),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[Middleware(Guard, names=names)],
        exception_handlers={UserError: _tell, HTTPException: _tell, Exception: _fail},
    )


async def _tell(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code)
    return JSONResponse({"error": str(error)}, 422)


async def _fail(request: Request, error: Exception) -> Response:
    # The traceback goes to the terminal, whose person can do something about it.
    return JSONResponse({"error": "the model failed; the terminal of samr1 demo says how."}, 500)


async def _receive(request: Request, client: str, uploads: Uploads) -> bytes:
    """The picture that is uploaded; raises HTTPException where it is too large or too slow."""
    content, most = bytearray(), uploads.limits.bytes
    try:
        async with asyncio.timeout(uploads.limits.upload_seconds) as time:
            with uploads.add(client, time):
                # Starlette's own limit would answer in its words, which the page cannot show.
                async for part in request.stream():
                    content += part
                    if len(content) > most:
                        told = f"the picture has more than {most:,} bytes; take a smaller one."
                        raise HTTPException(413, told)
    except TimeoutError as error:
        raise HTTPException(408, "the picture was not here in time; try again.") from error
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
    except (OSError, UnicodeError) as error:  # of a name that is none
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


def make_server(model: Samr1, who: str, names: frozenset[str], limits: Limits) -> uvicorn.Server:
    """What serves the page of `build_app` within `limits`."""
    config = uvicorn.Config(
        build_app(model, who, names, limits),
        http=partial(Connection, limits),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,  # it would hold the questions
        server_header=False,
        proxy_headers=False,
        headers=list(HEADERS.items()),
        limit_concurrency=2 * limits.connections,
        h11_max_incomplete_event_size=16_384,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def serve(model: Samr1, who: str, host: str, listening: socket.socket) -> None:
    """Serve the page on `listening` until Ctrl-C or SIGTERM."""
    names = frozenset({"localhost", host.lower(), socket.gethostname().lower()})
    server = make_server(model, who, names, Limits())
    address = printable(f"[{host}]" if ":" in host else host)
    if not ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
        say("note: not this machine alone, but whoever can reach it can ask.")
    print(f"http://{address}:{listening.getsockname()[1]}/ (Ctrl-C ends it)", flush=True)
    with suppress(KeyboardInterrupt):  # its own signal again, after all is closed
        server.run(sockets=[listening])
