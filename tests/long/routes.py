"""What the tests of the routes share: a world that is served, settings to read it, Snakemake."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from samr1 import schemas
from samr1.config_merge import load_experiment, merge
from samr1.files import read_table

ROOT = Path(__file__).parents[2]
SCALE = "paper"
ARCHIVES = ("train2014", "refcoco", "refcoco+", "refcocog")  # as the public ones are called


@dataclass
class Server:
    """A folder on loopback, and what it was asked for."""

    folder: Path
    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Serve the files of `folder` until the block ends."""
    told = Server(folder)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path.removeprefix("/"))
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    told.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pack_world(world: Path, folder: Path) -> None:
    """Pack the world's data sets as the zip files that the public ones come in."""
    for name in ARCHIVES:
        shutil.make_archive(str(folder / name), "zip", root_dir=world, base_dir=name)


def smoke_models(questions: int) -> dict[str, Any]:
    """The tiny models of the smoke scale, trained on so many, as `defaults` of another one."""
    run = load_experiment(ROOT / "config", "smoke").runs["sam_r1"].model_dump(mode="json")
    defaults = {name: run[name] for name in ("threads", "policy", "segmenter", "train")}
    defaults["evaluation"] = run["evaluation"]
    defaults["train"]["samples"] = questions
    return defaults


def write_settings(folder: Path, root: Path, **scale: Any) -> Path:
    """A copy of `config/` whose paper scale reads `root` on this machine; `scale` overrides it."""
    shutil.copytree(ROOT / "config", folder)
    here = {
        "data": {"root": str(root), "check_counts": False},
        "processes": 1,
        "gpus": 0,
    }
    edit(folder / "scales" / f"{SCALE}.yaml", lambda paper: merge(merge(paper, here), scale))
    return folder


def edit(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write what `change` makes of a settings file's mapping."""
    values = change(yaml.safe_load(file.read_text(encoding="utf-8")))
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def fetch_from(settings: Path, server: Server) -> None:
    """Let the settings fetch the server's files, by their size and checksum."""

    def change(datasets: dict[str, Any]) -> dict[str, Any]:
        for name in ARCHIVES:
            (source,) = datasets[name]["files"]
            data = (server.folder / f"{name}.zip").read_bytes()
            source["url"] = f"{server.address}/{name}.zip"
            source["bytes"], source["sha256"] = len(data), hashlib.sha256(data).hexdigest()
        return datasets

    edit(settings / "datasets.yaml", change)


def read_files(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below `folder`, by its path there; of a file, its own."""
    if folder.is_file():
        return {folder.name: folder.read_bytes()}
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@dataclass(frozen=True)
class Run:
    """One workflow: where it reads and writes."""

    settings: Path
    results: Path
    root: Path  # of the data

    def snakemake(self, *arguments: str) -> Said:
        """Run Snakemake on two cores in the repository's root."""
        return snakemake(
            *arguments,
            *("--cores", "2", "--config", f"scale={SCALE}"),
            *(f"results={self.results}", f"settings={self.settings}"),
        )

    def path(self, name: str) -> Path:
        """A file of the scale's results."""
        return self.results / SCALE / name

    def read_samples(self, name: str) -> pa.Table:
        """The samples of a benchmark, or of the training."""
        return read_table(self.path(f"samples/{name}.parquet"), schemas.SAMPLES)

    def read_metrics(self, run: str, benchmark: str, protocol: str) -> list[dict[str, Any]]:
        """The figures of a run on a benchmark, by one protocol."""
        path = self.path(f"metrics/{run}/seed_0/{benchmark}.parquet")
        rows = read_table(path, schemas.METRICS).to_pylist()
        return [row for row in rows if row["protocol"] == protocol]


@dataclass(frozen=True)
class Said:
    """How a Snakemake ended, what it said, and how long it took (seconds)."""

    code: int
    text: str
    seconds: float

    @property
    def jobs(self) -> int:
        """How many jobs it finished."""
        found = re.findall(r"^(\d+) of \d+ steps", self.text, re.MULTILINE)
        return int(found[-1]) if found else 0


def snakemake(*arguments: str) -> Said:
    """Run Snakemake in the repository's root."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, time.perf_counter() - begin)
