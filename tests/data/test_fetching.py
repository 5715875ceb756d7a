"""Downloads from a real server that drops, lies and refuses: whole files, or one sentence."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path

import pytest
from fetch_server import serve

from samr1.core.errors import UserError
from samr1.data import fetching
from samr1.data.fetching import Patience, fetch_file

BODY = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
HASTY = Patience(tries=3, first_pause=0.001, longest_pause=0.002, timeout=5.0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fetch(url: str, folder: Path, size: int | None = None, sha256: str | None = None) -> Path:
    path = folder / "file.zip"
    fetch_file(url, path, size, sha256, HASTY)
    return path


def test_a_file_comes_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    with serve(BODY) as server:
        assert fetch(server.url, tmp_path, len(BODY), SHA256).read_bytes() == BODY
    assert names(tmp_path) == ["file.zip"]
    assert server.asked == [None]


def test_what_was_dropped_goes_on_where_it_was(tmp_path: Path) -> None:
    # More drops than tries, but each brings new bytes.
    with serve(BODY, drops=[60_000] * 4) as server:
        assert fetch(server.url, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert server.asked == [None, *(f"bytes={60_000 * n}-" for n in (1, 2, 3, 4))]
    assert names(tmp_path) == ["file.zip"]


def test_a_later_call_goes_on_with_what_an_earlier_one_left(tmp_path: Path) -> None:
    with serve(BODY, drops=[100_000, 0, 0]) as server:
        with pytest.raises(UserError, match=r"ended at 100,000 of 300,000 bytes, 3 times in a row"):
            fetch(server.url, tmp_path)
        assert names(tmp_path) == ["file.zip.part", "file.zip.part.json"]
        assert fetch(server.url, tmp_path).read_bytes() == BODY
    assert server.asked == [None, "bytes=100000-", "bytes=100000-", "bytes=100000-"]


@pytest.mark.parametrize("heeds_version", [True, False])
def test_bytes_of_another_version_or_address_are_not_gone_on_with(
    tmp_path: Path, heeds_version: bool
) -> None:
    new = BODY[::-1]
    with serve(BODY, drops=[100_000, 0, 0], heeds_version=heeds_version) as server:
        with pytest.raises(UserError):
            fetch(server.url, tmp_path)
        server.body, server.etag = new, '"two"'
        assert fetch(server.url, tmp_path).read_bytes() == new
    assert len(server.asked) == 3 + (1 if heeds_version else 2)
    (tmp_path / "file.zip").unlink()
    with serve(BODY, drops=[100_000, 0, 0]) as server, pytest.raises(UserError):
        fetch(server.url, tmp_path)
    with serve(new) as server:  # the same ETag, elsewhere
        assert fetch(server.url, tmp_path).read_bytes() == new
    assert server.asked == [None]


@pytest.mark.parametrize("how", [{"ranges": False}, {"etag": None}])
def test_a_server_that_cannot_go_on_sends_all_again(tmp_path: Path, how: dict[str, object]) -> None:
    with serve(BODY, drops=[100_000, 50_000], **how) as server:
        assert fetch(server.url, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert len(server.asked) == 3


def test_a_complete_part_is_not_fetched_again(tmp_path: Path) -> None:
    with serve(BODY, drops=[100_000, 0, 0]) as server:
        with pytest.raises(UserError):
            fetch(server.url, tmp_path)
        (tmp_path / "file.zip.part").write_bytes(BODY)  # as when killed just before the end
        assert fetch(server.url, tmp_path).read_bytes() == BODY
    assert server.asked[-2:] == ["bytes=100000-", "bytes=300000-"]


def test_a_part_of_nobody_knows_what_is_not_taken_for_the_file(tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(BODY[::-1])
    with serve(BODY) as server:
        assert fetch(server.url, tmp_path, size=len(BODY)).read_bytes() == BODY


def test_a_length_that_is_too_long_ends_in_one_sentence(tmp_path: Path) -> None:
    with (
        serve(BODY, length=len(BODY) + 7, ranges=False) as server,
        pytest.raises(UserError, match=r"ended at 300,000 of 300,007 bytes, 3 times"),
    ):
        fetch(server.url, tmp_path)
    assert "file.zip" not in names(tmp_path)
    assert len(server.asked) == 3


def test_a_length_that_is_too_short_is_seen_by_size_and_by_checksum(tmp_path: Path) -> None:
    with serve(BODY, length=1000) as server:
        with pytest.raises(UserError, match=r"a file of 1,000 bytes, not of 300,000"):
            fetch(server.url, tmp_path, size=len(BODY))
        assert names(tmp_path) == []
        with pytest.raises(UserError, match=r"file.zip: the file of http.* has the SHA-256"):
            fetch(server.url, tmp_path, sha256=SHA256)
    assert names(tmp_path) == []


def test_without_a_length_the_declared_size_decides(tmp_path: Path) -> None:
    with serve(BODY, length=-1) as server:
        assert fetch(server.url, tmp_path).read_bytes() == BODY
        (tmp_path / "file.zip").unlink()
        with pytest.raises(UserError, match=r"more than 299,999 bytes came"):
            fetch(server.url, tmp_path, size=len(BODY) - 1)
        assert names(tmp_path) == []
        with pytest.raises(UserError, match=r"a file of 300,000 bytes, not of 300,001"):
            fetch(server.url, tmp_path, size=len(BODY) + 1)


def test_wrong_content_is_named_and_not_kept(tmp_path: Path) -> None:
    wrong = BODY[:-1] + b"\0"
    with serve(wrong) as server, pytest.raises(UserError, match=r"file.zip: .* nothing was kept"):
        fetch(server.url, tmp_path, len(BODY), SHA256)
    assert names(tmp_path) == []
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("how", "told", "requests"),
    [
        ({"status": 404}, r"file: the server says 404 Not Found; correct the address", 1),
        ({"status": 403}, r"403 Forbidden", 1),
        ({"status": 503}, r"503 Service Unavailable, 3 times in a row", 3),
        ({"content_type": "text/html; charset=utf-8"}, r"a web page and not the file", 1),
    ],
)
def test_a_refusal_is_one_sentence(
    tmp_path: Path, how: dict[str, object], told: str, requests: int
) -> None:
    with serve(BODY, **how) as server, pytest.raises(UserError, match=told):
        fetch(server.url, tmp_path)
    assert len(server.asked) == requests
    assert names(tmp_path) == []


def test_nobody_listening_is_one_sentence_after_bounded_pauses(tmp_path: Path) -> None:
    with serve(BODY) as server:
        url = server.url
    start = time.monotonic()
    with pytest.raises(UserError, match=r"no connection \(.*refused.*\), 3 times in a row"):
        fetch(url, tmp_path)
    assert time.monotonic() - start < 2


def test_pauses_double_up_to_the_longest() -> None:
    patience = Patience(tries=5, first_pause=1.0, longest_pause=5.0)
    assert [patience.pause(failed) for failed in range(1, 6)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = fetching._Part.begin

    def begin_there(part: fetching._Part, version: str | None) -> None:
        begin(part, version)
        part.path.symlink_to("/dev/full")

    monkeypatch.setattr(fetching._Part, "begin", begin_there)
    told = r"file.zip: cannot be written \(No space left on device\)"
    with serve(BODY) as server, pytest.raises(UserError, match=told):
        fetch(server.url, tmp_path)
    assert "file.zip" not in names(tmp_path)
