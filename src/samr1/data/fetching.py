"""Download a file over HTTP that is known by its size and checksum: whole and right, or not there.

The download grows in `<name>.part`, which outlives a failure: the next try, of this process or of a
later one, asks for the rest alone. Whatever came from elsewhere in between, the checksum tells.

By hand, since no library that is here does it: `requests` and `torch.hub` begin anew after a break,
and the one of `huggingface_hub` that goes on is for its own hub, whose errors it tells and which it
does not ask again after a 503. `curl` does, and no lock brings it.
"""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from samr1.core.bars import bar_interval
from samr1.core.errors import UserError, printable
from samr1.core.files import hash_file, writing

_BLOCK = 1 << 20  # bytes
_TRIES = 8  # in a row that bring nothing new
_TIMEOUT = 60.0  # seconds of a connection on which nothing comes
_LONGEST_PAUSE = 60.0  # seconds
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # what a server may no longer say at the next try


def fetch_file(url: str, path: Path, size: int, sha256: str, pause: float = 2.0) -> None:
    """Download `url` to `path`, which appears once its `size` bytes are there and are `sha256`.

    After a failure that may pass it waits `pause` seconds, each time twice as long, and goes on.
    Raises UserError where the server refuses, has another file, or keeps failing, and where the
    disk is full. What has come is kept for the next call, unless it is wrong.
    """
    part = path.with_name(f"{path.name}.part")
    with writing(path), _byte_bar(f"fetching {path.name}", size) as bar:
        path.parent.mkdir(parents=True, exist_ok=True)
        resumed = _size(part) > 0
        _persist(url, part, size, pause, bar)
        if resumed and hash_file(part) != sha256:  # what was there was of another file
            part.unlink()
            _persist(url, part, size, pause, bar)
        if (found := hash_file(part)) != sha256:
            part.unlink()
            raise UserError(
                f"{path}: the file of {url} has the SHA-256 {found}, not {sha256}; nothing was "
                "kept: start again, and correct the list of data sets if it stays so."
            )
        os.replace(part, path)


def _byte_bar(work: str, total: int) -> tqdm:
    """A bar of bytes with the time left; in a log it says something every 20 seconds."""
    return tqdm(total=total, desc=work, unit="B", unit_scale=True, mininterval=bar_interval())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class _PassingError(Exception):
    """A failure that may be gone at the next try."""


def _persist(url: str, part: Path, size: int, pause: float, bar: tqdm) -> None:
    """Try until `size` bytes are there; give up after `_TRIES` that brought nothing new."""
    failed = 0
    while (have := _size(part)) != size:
        try:
            _receive(url, part, have if have < size else 0, size, bar)
        except _PassingError as error:
            failed = 1 if _size(part) > have else failed + 1
            if failed == _TRIES:
                raise UserError(
                    f"{url}: {error}, {failed} times in a row; start again later: what is in "
                    f"{part} is kept and it goes on from there."
                ) from error
            seconds = min(pause * 2 ** (failed - 1), _LONGEST_PAUSE)
            tqdm.write(printable(f"{url}: {error}; again in {seconds:g} s"), file=sys.stderr)
            time.sleep(seconds)


def _receive(url: str, part: Path, have: int, size: int, bar: tqdm) -> None:
    """Ask for what is missing after `have` bytes, and write it as it comes."""
    headers = {"User-Agent": "samr1", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _answering(url):
        response = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    with response:
        start = have if response.status == 206 else 0  # else all of it comes again
        if response.length is not None and start + response.length != size:
            raise _other(url, f"the server has a file of {start + response.length:,} bytes", size)
        bar.n = start
        with part.open("ab" if start else "wb") as file:
            while True:
                with _answering(url):
                    block = response.read1(_BLOCK)  # what is there: nothing is lost by a break
                if not block:
                    break
                file.write(block)
                bar.update(len(block))
                if bar.n > size:
                    part.unlink()
                    raise _other(url, f"more than {size:,} bytes came", size)
    if bar.n < size:
        raise _PassingError(f"the connection ended at {bar.n:,} of {size:,} bytes")


def _other(url: str, found: str, size: int) -> UserError:
    return UserError(
        f"{url}: {found}, not of {size:,}; it is another file than the one in the list of data "
        "sets, or a web page: open the address in a browser, and correct it or the list."
    )


@contextmanager
def _answering(url: str) -> Iterator[None]:
    """Sort what goes wrong while a server is asked: passing, or for a person to see to."""
    try:
        yield
    except HTTPError as error:
        error.close()
        if error.code not in _PASSING:
            raise UserError(
                f"{url}: the server says {error.code} {error.reason}; correct the address, or put "
                "the file there by hand."
            ) from error
        raise _PassingError(f"no good answer ({error.code} {error.reason})") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise UserError(
                f"{url}: the server's certificate is not valid ({reason.verify_message}); correct "
                "the address or the machine's clock and certificates."
            ) from error
        told = reason or type(error).__name__
        raise _PassingError(f"no answer, or a broken one ({told})") from error
