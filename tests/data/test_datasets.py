"""Data sets under the data root: fetched where they lack, and never fetched over."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import call
from data_world import write_zip
from fetch_server import Server, serve

from samr1.cli import fetch_dataset as command
from samr1.config.datasets import Dataset, load_datasets
from samr1.config.schema import parse_config
from samr1.core.errors import UserError
from samr1.core.files import atomic_folder
from samr1.data.datasets import fetch_dataset

ROOT = Path(__file__).parents[2]
HASTY = 0.001


def archive(tmp_path: Path, members: dict[str, bytes]) -> bytes:
    path = write_zip(tmp_path / "made.zip", members)
    content = path.read_bytes()
    path.unlink()
    return content


def source(server: Server, **more: Any) -> dict[str, Any]:
    """The server's file as a source."""
    sha256 = hashlib.sha256(server.body).hexdigest()
    return {"url": server.url, "bytes": len(server.body), "sha256": sha256, **more}


def declared(server: Server, **more: Any) -> Dataset:
    values = {"holds": ["set/a.json", "set/b"], **more}
    values.setdefault("files", [source(server, to="set", unpack=True)])
    return parse_config(values, Dataset, "here")


def test_an_archive_becomes_its_folder_and_is_removed(tmp_path: Path) -> None:
    with serve(archive(tmp_path, {"set/a.json": b"{}", "set/b": b"b"})) as server:
        rows = fetch_dataset(declared(server), tmp_path / "data", HASTY)
    assert [(row["url"], row["to"]) for row in rows] == [(server.url, "set")]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["set"]
    assert (tmp_path / "data/set/a.json").read_bytes() == b"{}"


def test_an_archive_fetched_before_an_interruption_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / ".set.zip").write_bytes(archive(tmp_path, {"set/a.json": b"{}", "set/b": b"b"}))
    with serve(b"x") as server:
        fetch_dataset(declared(server), tmp_path, HASTY)
    assert server.asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_what_a_killed_unpacking_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".set.zip").write_bytes(archive(tmp_path, {"set/a.json": b"{}", "set/b": b"b"}))
    killed = atomic_folder(tmp_path / "set", None)
    (killed.__enter__() / "a.json").write_text("{")
    with serve(b"x") as server:
        fetch_dataset(declared(server), tmp_path, HASTY)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_plain_file_goes_where_it_is_told(tmp_path: Path) -> None:
    with serve(b"PAR1") as server:
        files = [source(server, to="mirror/a.parquet")]
        fetch_dataset(declared(server, holds=["mirror"], files=files), tmp_path, HASTY)
    assert [path.name for path in (tmp_path / "mirror").iterdir()] == ["a.parquet"]


def test_a_persons_data_is_taken_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "elsewhere"
    mine.mkdir()
    for name in ("a.json", "b"):
        (mine / name).write_text("mine")
    root = tmp_path / "data"
    root.mkdir()
    (root / "set").symlink_to(mine)
    with serve(b"x") as server:
        assert fetch_dataset(declared(server), root, HASTY) == []
    assert server.asked == []


@pytest.mark.parametrize("link", [False, True])
def test_a_part_of_a_data_set_is_not_fetched_over(tmp_path: Path, link: bool) -> None:
    if link:
        (tmp_path / "set").symlink_to(tmp_path / "nowhere")
    else:
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "b").write_text("mine")
    with (
        serve(b"x") as server,
        pytest.raises(UserError, match=r"set/a.json: missing or empty, and"),
    ):
        fetch_dataset(declared(server), tmp_path, HASTY)
    assert server.asked == []


def test_an_empty_folder_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with serve(b"x") as server, pytest.raises(UserError, match=r"set: missing or empty, and"):
        fetch_dataset(declared(server, holds=["set"]), tmp_path, HASTY)


def test_a_bad_archive_leaves_nothing(tmp_path: Path) -> None:
    body = archive(tmp_path, {"set/a.json": b"{}", "set/zeros": bytes(9_000_000)})
    with serve(body) as server, pytest.raises(UserError, match=r"set.zip: would unpack to"):
        fetch_dataset(declared(server), tmp_path / "data", HASTY)
    assert list((tmp_path / "data").iterdir()) == []


def test_an_archive_is_kept_where_the_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    body = archive(tmp_path, {"set/a.json": b"{}"})
    with serve(body) as server, monkeypatch.context() as patch:
        patch.setattr("zipfile.ZipFile.extract", fail)
        with pytest.raises(OSError, match="Input/output error"):
            fetch_dataset(declared(server), tmp_path / "data", HASTY)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".set.zip"]


def test_what_needs_a_person_says_what_to_put_where(tmp_path: Path) -> None:
    dataset = load_datasets(ROOT / "config" / "datasets.yaml")["reasonseg"]
    (tmp_path / "ReasonSeg/val").mkdir(parents=True)
    (tmp_path / "ReasonSeg/val/a.json").touch()
    with pytest.raises(UserError, match=r"ReasonSeg/test: missing or empty; download val.zip"):
        fetch_dataset(dataset, tmp_path)


def test_the_command_writes_what_it_fetched(tmp_path: Path) -> None:
    config, output = tmp_path / "datasets.yaml", tmp_path / "records" / "set.json"
    with serve(archive(tmp_path, {"set/a.json": b"{}"})) as server:
        file = source(server, to="set", unpack=True)
        config.write_text(yaml.safe_dump({"set": {"holds": ["set/a.json"], "files": [file]}}))
        options = {"config": config, "dataset": "set", "root": tmp_path / "data", "output": output}
        call(command.main, **options)
        record = json.loads(output.read_text())
        assert record["fetched"] == [file]
        call(command.main, **options)
        assert json.loads(output.read_text())["fetched"] == []
    assert len(server.asked) == 1


def test_the_declared_sources_are_whole() -> None:
    datasets = load_datasets(ROOT / "config" / "datasets.yaml")
    assert list(datasets) == ["train2014", "refcoco", "refcoco+", "refcocog", "reasonseg"]
    for dataset in datasets.values():
        for source in dataset.files:
            assert all(path.split("/")[0] == source.to for path in dataset.holds)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"to": "../set"}, 'files.0.to = "../set": must be a path below the data root'),
        ({"to": "/set"}, "must be a path below the data root"),
        ({"url": "ftp://somewhere/a"}, "files.0.url"),
        ({"sha256": "ABC"}, "files.0.sha256"),
        ({"size": 3}, "files.0.size: unknown key; allowed are url, to, unpack, bytes, sha256"),
        ({"bytes": None}, "files.0.bytes = null"),
    ],
)
def test_a_bad_source_is_refused(tmp_path: Path, change: dict[str, object], told: str) -> None:
    with serve(b"x") as server:
        file = source(server, url="https://somewhere/a.zip", to="set") | change
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump({"set": {"holds": ["set"], "files": [file]}}))
    with pytest.raises(UserError) as error:
        load_datasets(path)
    assert str(error.value).startswith(f"{path}: data set set: ") and told in str(error.value)


def test_a_data_set_comes_one_way() -> None:
    with pytest.raises(UserError, match="by_hand = null: must be given without files"):
        parse_config({"holds": ["set"]}, Dataset, "here")
