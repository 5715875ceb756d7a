"""Downloads from a real server that drops, lies and refuses: whole files, or one sentence."""

from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path

import pytest
from fetch_server import serve

from samr1.core.errors import UserError
from samr1.data.fetching import fetch_file

BODY = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fetch(url: str, folder: Path, size: int = len(BODY), sha256: str = SHA256) -> bytes:
    path = folder / "file.zip"
    fetch_file(url, path, size, sha256, pause=0.001)
    return path.read_bytes()


def test_a_file_comes_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    with serve(BODY) as server:
        assert fetch(server.url, tmp_path) == BODY
    assert names(tmp_path) == ["file.zip"]
    assert server.asked == [None]


def test_what_was_dropped_goes_on_where_it_was(tmp_path: Path) -> None:
    # More drops than tries, but each brings new bytes.
    with serve(BODY, drops=[20_000] * 12) as server:
        assert fetch(server.url, tmp_path) == BODY
    assert server.asked == [None, *(f"bytes={20_000 * n}-" for n in range(1, 13))]
    assert names(tmp_path) == ["file.zip"]


def test_a_later_call_goes_on_with_what_an_earlier_one_left(tmp_path: Path) -> None:
    with serve(BODY, drops=[100_000, *([0] * 8)]) as server:
        with pytest.raises(UserError, match=r"ended at 100,000 of 300,000 bytes, 8 times in a row"):
            fetch(server.url, tmp_path)
        assert names(tmp_path) == ["file.zip.part"]
        assert fetch(server.url, tmp_path) == BODY
    assert server.asked == [None, *["bytes=100000-"] * 9]


@pytest.mark.parametrize("ranges", [True, False])
def test_bytes_of_another_file_are_not_gone_on_with(tmp_path: Path, ranges: bool) -> None:
    (tmp_path / "file.zip.part").write_bytes(BODY[:1000][::-1])
    with serve(BODY, ranges=ranges) as server:
        assert fetch(server.url, tmp_path) == BODY
    assert server.asked == ["bytes=1000-", *([None] if ranges else [])]


def test_a_server_that_cannot_go_on_sends_all_again(tmp_path: Path) -> None:
    with serve(BODY, drops=[100_000, 50_000], ranges=False) as server:
        assert fetch(server.url, tmp_path) == BODY
    assert len(server.asked) == 3


@pytest.mark.parametrize(("there", "asked"), [(BODY, 0), (BODY[::-1], 1), (BODY + b"0", 1)])
def test_a_part_that_is_as_long_is_the_file_or_not(
    tmp_path: Path, there: bytes, asked: int
) -> None:
    (tmp_path / "file.zip.part").write_bytes(there)  # as when killed just before the end
    with serve(BODY) as server:
        assert fetch(server.url, tmp_path) == BODY
    assert len(server.asked) == asked


def test_a_length_that_is_too_long_ends_in_one_sentence(tmp_path: Path) -> None:
    lies = {"length": len(BODY) + 7, "ranges": False}
    with serve(BODY, **lies) as server:
        with pytest.raises(UserError, match=r"ended at 300,000 of 300,007 bytes, 8 times"):
            fetch(server.url, tmp_path, len(BODY) + 7)
        assert names(tmp_path) == ["file.zip.part"]
        (tmp_path / "file.zip.part").unlink()
        with pytest.raises(UserError, match=r"has a file of 300,007 bytes, not of 300,000"):
            fetch(server.url, tmp_path)


def test_without_a_length_the_declared_size_decides(tmp_path: Path) -> None:
    with serve(BODY, length=-1) as server:
        assert fetch(server.url, tmp_path) == BODY
        (tmp_path / "file.zip").unlink()
        with pytest.raises(UserError, match=r"more than 299,999 bytes came"):
            fetch(server.url, tmp_path, len(BODY) - 1)
    assert names(tmp_path) == []


def test_wrong_content_is_named_and_not_kept(tmp_path: Path) -> None:
    told = r"file.zip: the file of http.* has the SHA-256 .* nothing was kept"
    with serve(BODY[:-1] + b"\0") as server, pytest.raises(UserError, match=told):
        fetch(server.url, tmp_path)
    assert names(tmp_path) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("how", "told", "requests"),
    [
        ({"status": 404}, r"file: the server says 404 Not Found; correct the address", 1),
        ({"status": 403}, r"403 Forbidden", 1),
        ({"status": 503}, r"\(503 Service Unavailable\), 8 times in a row", 8),
        ({"body": b"<html>log in"}, r"a file of 12 bytes, not of 300,000; .* or a web page", 1),
    ],
)
def test_a_refusal_is_one_sentence(
    tmp_path: Path, how: dict[str, object], told: str, requests: int
) -> None:
    with serve(**({"body": BODY} | how)) as server, pytest.raises(UserError, match=told):
        fetch(server.url, tmp_path)
    assert len(server.asked) == requests
    assert names(tmp_path) == []


def test_nobody_listening_is_one_sentence_after_bounded_pauses(tmp_path: Path) -> None:
    with serve(BODY) as server:
        url = server.url
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no answer, or a broken one \(.*refused.*\), 8 times"):
        fetch(url, tmp_path)
    assert time.monotonic() - start < 2


def test_a_full_disk_is_one_sentence_and_no_network_failure(tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").symlink_to("/dev/full")
    told = r"file.zip: cannot be written \(No space left on device\)"
    with serve(BODY) as server, pytest.raises(UserError, match=told):
        fetch(server.url, tmp_path)
    assert len(server.asked) == 1
    assert os.listdir(tmp_path) == ["file.zip.part"]
