"""Real HTTP servers on loopback: of one file, misbehaving as it is told to, a folder, a hub."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Server:
    """One file at one address, and how it is served."""

    body: bytes
    url: str = ""
    status: int = 200
    content_type: str = "application/octet-stream"
    ranges: bool = True
    """Whether a Range is heeded; else the whole file comes again."""
    length: int | None = None
    """What Content-Length says in place of the truth; below 0, there is none."""
    drops: list[int] = field(default_factory=list)
    """Bytes after which the connections break, one after the other."""
    asked: list[str | None] = field(default_factory=list)
    """The Range of every request."""


@contextmanager
def serve(body: bytes, **how: object) -> Iterator[Server]:
    """Serve `body` until the block ends."""
    told = Server(body, **how)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            told.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            if not told.ranges:
                start = 0
            if wanted and start >= len(told.body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(told.body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            rest = told.body[start:]
            self.send_response(206 if start else told.status)
            self.send_header("Content-Type", told.content_type)
            if start:
                whole = len(told.body)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            length = len(rest) if told.length is None else told.length
            if length >= 0:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if told.drops:
                rest = rest[: told.drops.pop(0)]
            self.wfile.write(rest)

        def log_message(self, *_: object) -> None:
            pass

    with _running(Handler) as address:
        told.url = f"{address}/file"
        yield told


@dataclass
class Folder:
    """A folder that is served as it is, and the paths that were asked for."""

    path: Path
    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_folder(path: Path) -> Iterator[Folder]:
    """Serve the files of `path` until the block ends."""
    told = Folder(path)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path.removeprefix("/"))
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with _running(partial(Handler, directory=path)) as address:
        told.address = address
        yield told


@contextmanager
def serve_hub(name: str, commit: str, files: dict[str, bytes]) -> Iterator[Folder]:
    """A model hub that has one data set at one commit, as `huggingface_hub` asks for it."""
    told = Folder(Path())
    of_files = f"/datasets/{name}/resolve/{commit}/"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(f"{self.command} {self.path}")
            headers: dict[str, str] = {}
            if self.path.startswith(f"/api/datasets/{name}/tree/{commit}"):
                tree = [{"type": "file", "path": path, "size": 1, "oid": "0"} for path in files]
                body = json.dumps(tree).encode()
            elif self.path.startswith(of_files):
                body = files[self.path.removeprefix(of_files)]
                tag = hashlib.sha256(body).hexdigest()
                headers = {"ETag": f'"{tag}"', "X-Repo-Commit": commit}
            else:
                self.send_error(404)
                return
            self.send_response(200)
            for key, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with _running(Handler) as address:
        told.address = address
        yield told


@contextmanager
def _running(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server that answers by `handler`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
