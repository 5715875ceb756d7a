"""Download one file over HTTP: resumed, checked, and there whole or not at all.

The download grows in `<name>.part`, which outlives a failure: the next try, of this process or of a
later one, asks for the rest alone. `<name>.part.json` says of which address and which version (its
ETag, else its date) those bytes are; where the server has another version by now, or sends the
whole file again, the download begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from samr1.core.errors import UserError
from samr1.core.files import writing
from samr1.data.byte_bar import byte_bar

_BLOCK = 1 << 20  # bytes
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # what a server may no longer say at the next try


@dataclass(frozen=True)
class Patience:
    """How often a download is tried, and how long it waits in between (seconds)."""

    tries: int = 8  # in a row that bring no new bytes
    first_pause: float = 2.0  # doubled from one such try to the next
    longest_pause: float = 60.0
    timeout: float = 60.0  # of a connection on which nothing comes

    def pause(self, failed: int) -> float:
        """Seconds to wait after the `failed`-th failure in a row.

        >>> [Patience().pause(failed) for failed in (1, 2, 3, 7)]
        [2.0, 4.0, 8.0, 60.0]
        """
        return min(self.first_pause * 2 ** (failed - 1), self.longest_pause)


PATIENCE = Patience()


class _Passing(Exception):
    """A failure that may be gone at the next try."""


def fetch_file(
    url: str,
    path: Path,
    size: int | None = None,
    sha256: str | None = None,
    patience: Patience = PATIENCE,
) -> None:
    """Download `url` to `path`, which appears once all its bytes are there and are the right ones.

    `size` (bytes) and `sha256` (hex) are checked where they are known. Raises UserError where the
    server refuses, answers with a web page or with another file, or keeps failing, and where the
    disk is full. What has come is kept for the next call, unless it is wrong.
    """
    part = _Part(path, url)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with byte_bar(f"fetching {path.name}", size) as bar:
            _persist(part, size, patience, bar)
        if sha256 is not None and (found := hash_file(part.path)) != sha256:
            part.discard()
            raise UserError(
                f"{path}: the file of {url} has the SHA-256 {found}, not {sha256}; nothing was "
                "kept: start again, and correct the list of data sets if it stays so."
            )
        os.replace(part.path, path)
        part.discard()


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file, byte_bar(f"checking {path.name}", size) as bar:
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


class _Part:
    """What has come of a download, and of which version of the file it is."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        self.url = url

    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> str | None:
        """The version that the bytes are of; None where nobody knows, or of another address."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = isinstance(note, dict) and note.get("url") == self.url
        return note.get("version") if same else None

    def begin(self, version: str | None) -> None:
        """Forget the bytes of before; those that come now are of `version`."""
        self.discard()
        note = {"url": self.url, "version": version}
        self.note.write_text(json.dumps(note), encoding="utf-8")

    def discard(self) -> None:
        """Remove it all."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _persist(part: _Part, size: int | None, patience: Patience, bar: tqdm) -> None:
    """Try until all bytes are there; give up after `patience.tries` that brought nothing new."""
    if part.version() is None or (size is not None and part.size() > size):
        part.discard()
    most, failed = part.size(), 0
    while size is None or part.size() != size:
        try:
            _try_once(part, size, patience.timeout, bar)
            return
        except _Passing as error:
            failed = 1 if part.size() > most else failed + 1
            most = max(most, part.size())
            if failed >= patience.tries:
                raise UserError(
                    f"{part.url}: {error}, {failed} times in a row; start again later: the "
                    f"{part.size():,} bytes in {part.path} are kept and it goes on from there."
                ) from error
            pause = patience.pause(failed)
            tqdm.write(f"{part.url}: {error}; again in {pause:g} s", file=sys.stderr)
            time.sleep(pause)


def _try_once(part: _Part, size: int | None, timeout: float, bar: tqdm) -> None:
    """Ask for what is missing and receive it. Raises _Passing where it did not all come."""
    have, version = part.size(), part.version()
    headers = {"User-Agent": "samr1", "Accept-Encoding": "identity"}
    if have and version is not None:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        with _answering(part.url):
            response = urlopen(Request(part.url, headers=headers), timeout=timeout)
    except _NothingLeft as error:
        _check_total(part, error.total, size)
        if error.total == have:
            return
        part.discard()
        raise _Passing("the server has a shorter file than before") from error
    with response:
        total = _begin_or_go_on(part, response, have, version)
        _check_total(part, total, size)
        _receive(part, response, size if total is None else total, bar)


def _check_total(part: _Part, total: int | None, size: int | None) -> None:
    """Raise UserError where the server's file has not the `size` it should have."""
    if size is not None and total is not None and total != size:
        part.discard()
        raise UserError(
            f"{part.url}: the server has a file of {total:,} bytes, not of {size:,}; it is another "
            "file than the one in the list of data sets: correct the address or that."
        )


class _NothingLeft(Exception):
    """The server has no byte after those that are there: its file has `total`."""

    def __init__(self, total: int | None) -> None:
        super().__init__()
        self.total = total


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Sort what goes wrong while a server is asked: passing, or for a person to see to."""
    try:
        yield
    except HTTPError as error:
        with error:
            if error.code == 416:
                told = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
                raise _NothingLeft(int(told[1]) if told else None) from error
            said = f"the server says {error.code} {error.reason}"
            if error.code in _PASSING:
                raise _Passing(said) from error
            raise UserError(
                f"{url}: {said}; correct the address, or put the file there by hand."
            ) from error
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UserError(
                f"{url}: the server's certificate is not valid ({error.reason.verify_message}); "
                "correct the address or the machine's clock and certificates."
            ) from error
        raise _Passing(f"no connection ({error.reason})") from error
    except (OSError, HTTPException) as error:
        raise _Passing(f"the connection broke ({error or type(error).__name__})") from error


def _begin_or_go_on(
    part: _Part, response: HTTPResponse, have: int, version: str | None
) -> int | None:
    """Make `part` ready for what comes; the whole file's bytes, None where the server is silent."""
    if response.headers.get_content_type() == "text/html":
        raise UserError(
            f"{part.url}: the answer is a web page and not the file (a login, a notice?); open it "
            "in a browser, and put the file there by hand if need be."
        )
    # A weak ETag promises no equal bytes, so it cannot say where to go on.
    tag = response.headers.get("ETag", "")
    offered = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
    if response.status == 206:
        told = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if told is None or int(told[1]) != have or offered != version:
            part.discard()
            raise _Passing("the server has another file than before")
        return int(told[2])
    part.begin(offered)
    return response.length


def _receive(part: _Part, response: HTTPResponse, total: int | None, bar: tqdm) -> None:
    bar.total = total
    bar.initial = bar.n = part.size()
    with part.path.open("ab") as file:
        while True:
            with _answering(part.url):
                block = response.read1(_BLOCK)  # what is there: nothing is lost when it breaks
            if not block:
                break
            file.write(block)
            bar.update(len(block))
            if total is not None and bar.n > total:
                part.discard()
                raise UserError(
                    f"{part.url}: more than {total:,} bytes came; it is another file than the one "
                    "in the list of data sets: correct the address or that."
                )
    if total is not None and part.size() < total:
        raise _Passing(f"the connection ended at {part.size():,} of {total:,} bytes")
