"""What the tests of the routes share: a world to be served, settings to read it, and its run."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from edited_settings import edit
from fetch_server import Folder
from snakemake_calls import ROOT, Said, snakemake

from samr1.config.merge import load_experiment, merge
from samr1.core import schemas
from samr1.core.files import read_table

SCALE = "paper"
# Runs whose weights are on the model hub alone; without them their rows are not measured.
THEIRS = ("qwen2.5vl_3b_plain", "seg_zero", "visual_rft", "vlm_r1")
ARCHIVES = ("train2014", "refcoco", "refcoco+", "refcocog")  # as the public ones are called


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
    edit(folder / "runs.yaml", lambda runs: without(runs, *THEIRS))
    edit(folder / "baselines.yaml", lambda _: {})
    return folder


def without(mapping: dict[str, Any], *keys: str) -> dict[str, Any]:
    """`mapping` less `keys`."""
    return {name: value for name, value in mapping.items() if name not in keys}


def fetch_from(settings: Path, server: Folder) -> None:
    """Let the settings fetch the server's files, by their size and checksum."""

    def change(datasets: dict[str, Any]) -> dict[str, Any]:
        for name in ARCHIVES:
            (source,) = datasets[name]["files"]
            data = (server.path / f"{name}.zip").read_bytes()
            source["url"] = f"{server.address}/{name}.zip"
            source["bytes"], source["sha256"] = len(data), hashlib.sha256(data).hexdigest()
        return datasets

    edit(settings / "datasets.yaml", change)


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
            *(f"results={self.results}", f"config_dir={self.settings}"),
            python=Path(sys.executable),  # its seconds are told
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
