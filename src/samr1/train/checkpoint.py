"""Checkpoints of a training: all that a step needs of the steps before it, whole or not at all.

    <folder>/step_000040/rank_0.safetensors …   what each process holds (`samr1.train.state`), and
                                                the last IoUs
                         metrics.parquet, timings.parquet   the rows so far
                         manifest.json   written last: what it is of, and each file's SHA-256

Learning rate, batches and draws are functions of (seed, step), so the step's number is their place,
and no random generator has a state to keep.
Own files in place of DeepSpeed's `save_checkpoint`, because that one pickles objects of its own,
which nothing can read without running code, and writes weights that follow from the masters anyway.
Every process writes its own part, so that 100 GB of a 7B model are eight files written at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn

from samr1.config.base import Frozen
from samr1.config.schema import TrainStage
from samr1.core.errors import UserError, say
from samr1.core.files import MARK, atomic_folder, hash_file, read_table, remove_parts, write_table
from samr1.core.weights import write_tensors
from samr1.method.rewards import IouWindow
from samr1.train.batches import Sample
from samr1.train.engine import Engine
from samr1.train.metrics import TRAINING_METRICS, TRAINING_TIMINGS

Result = TypeVar("Result")

KEPT = 2
# What a run may change on its way without becoming another.
_FREE = {"train.checkpoint_steps"}
_WINDOW = "reward.window"


class Manifest(Frozen):
    """What a checkpoint is of, and the SHA-256 of each of its other files."""

    step: int
    """Steps done."""
    processes: int
    config: dict[str, Any]
    """The train stage."""
    inputs: dict[str, str]
    """SHA-256 of what training reads (`digest_inputs`)."""
    files: dict[str, str]


@dataclass(frozen=True)
class Progress:
    """How far a training has come: steps done, one row of metrics and of timings for each, and the
    last IoUs, the same on all processes, where the reward ranks among them."""

    step: int
    metrics: list[dict[str, Any]]
    timings: list[dict[str, Any]]
    window: IouWindow = field(default_factory=IouWindow)


class Checkpoints:
    """The checkpoints of one run and seed; every method is for all processes together."""

    def __init__(
        self, folder: Path, engine: Engine, stage: TrainStage, inputs: dict[str, str]
    ) -> None:
        """Keep them in `folder`; remove what a killed writer left there.

        `inputs` are the first process's `digest_inputs`. Raises UserError where `folder` cannot be
        written.
        """
        self.folder, self._engine = folder, engine
        self._config, self._inputs = stage.model_dump(mode="json"), inputs
        self._together(self._make_folder, folder)

    def _make_folder(self) -> None:
        if self._engine.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise UserError(f"{self.folder}: is not writable; checkpoints need it to be.")
            remove_parts(self.folder / "step_*")

    def save(self, progress: Progress) -> Path:
        """Write the state after `progress.step` steps and remove all but the newest two.

        Raises UserError on every process where one cannot write; older ones are then as they were.
        """
        path = self.folder / f"step_{progress.step:06d}"
        own = f"rank_{self._engine.rank}.safetensors"
        window = torch.tensor(progress.window.ious, dtype=torch.float64)
        tensors = self._engine.tensors() | {_WINDOW: window}
        first = self._engine.rank == 0
        with ExitStack() as stack:

            def make() -> Path | None:
                return stack.enter_context(atomic_folder(path, "train_policy")) if first else None

            temporary = self._together(make, path)[0]
            assert temporary is not None

            def write() -> tuple[str, str]:
                return own, write_tensors(temporary / own, tensors)

            files = dict(self._together(write, path))

            def finish() -> None:
                if first:
                    self._write_rest(temporary, progress, files)
                    stack.close()  # which gives it its name
                    for old in self._newest_first()[KEPT:]:
                        shutil.rmtree(old)

            self._together(finish, path)
        return path

    def _write_rest(self, folder: Path, progress: Progress, files: dict[str, str]) -> None:
        """The tables, and last the manifest with the digests of all `files`."""
        for name, rows, schema in (
            ("metrics.parquet", progress.metrics, TRAINING_METRICS),
            ("timings.parquet", progress.timings, TRAINING_TIMINGS),
        ):
            write_table(folder / name, pa.Table.from_pylist(rows, schema=schema))
            files[name] = hash_file(folder / name)
        manifest = Manifest(
            step=progress.step,
            processes=self._engine.processes,
            config=self._config,
            inputs=self._inputs,
            files=files,
        )
        (folder / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")

    def load(self) -> Progress | None:
        """Go back to the newest whole checkpoint; None where there is none.

        A damaged one is passed over, with a sentence. Raises UserError where it belongs to another
        configuration, other inputs or another number of processes.
        """
        # The first process's list is everyone's.
        own = self._newest_first() if self._engine.rank == 0 else []
        for path in self._engine.gather(own):
            manifest = _read_manifest(path)
            whole = manifest is not None and self._is_whole(path, manifest)
            if not all(self._engine.gather([whole])) or manifest is None:
                if self._engine.rank == 0:
                    say(f"{path}: damaged, so it is passed over.")
                continue
            self._refuse_another(path, manifest)
            tensors = load_file(path / f"rank_{self._engine.rank}.safetensors")
            window = tensors.pop(_WINDOW).tolist()
            self._engine.load_tensors(tensors)
            return Progress(
                step=manifest.step,
                metrics=read_table(path / "metrics.parquet", TRAINING_METRICS).to_pylist(),
                timings=read_table(path / "timings.parquet", TRAINING_TIMINGS).to_pylist(),
                window=IouWindow(tuple(window)),
            )
        return None

    def _is_whole(self, path: Path, manifest: Manifest) -> bool:
        """Whether what this process reads has not changed (each its own part, and the tables)."""
        if manifest.processes != self._engine.processes:
            return True  # it is refused, whatever its files hold
        names = [f"rank_{self._engine.rank}.safetensors", "metrics.parquet", "timings.parquet"]
        return all(
            (path / name).is_file() and hash_file(path / name) == manifest.files.get(name)
            for name in names
        )

    def _refuse_another(self, path: Path, manifest: Manifest) -> None:
        advice = f"change it back, or remove {self.folder} to start anew"
        key = _first_difference(manifest.config, self._config)
        if key is not None:
            name, was, now = key
            raise UserError(
                f"{path}: was made with {name} = {json.dumps(was)}, and the configuration says "
                f"{json.dumps(now)}; {advice}."
            )
        for name, digest in self._inputs.items():
            if manifest.inputs.get(name) != digest:
                raise UserError(f"{path}: was made with another content of {name}; {advice}.")
        if manifest.processes != self._engine.processes:
            raise UserError(
                f"{path}: was made by {manifest.processes} processes and cannot go on with "
                f"{self._engine.processes}; {advice}."
            )

    def remove(self) -> None:
        """Remove them, and the folder if that was all; for when the outputs are written."""
        self._engine.gather([None])
        if self._engine.rank == 0:
            for path in self._newest_first():
                shutil.rmtree(path)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _newest_first(self) -> list[Path]:
        """Its checkpoints, and nothing else that a person put there."""
        found = [path for path in self.folder.glob("step_*") if (path / MARK).is_file()]
        return sorted(found, reverse=True)

    def _together(self, work: Callable[[], Result], path: Path) -> list[Result]:
        """What `work()` gives on each process; raises on all of them what it raised on one."""
        try:
            result: Any = work()
        except UserError as error:
            result = error
        except OSError as error:
            result = UserError(f"{path}: cannot be written ({error}); mend that and start again.")
        results = self._engine.gather([result])
        for one in results:
            if isinstance(one, UserError):
                raise one
        return results


def _read_manifest(path: Path) -> Manifest | None:
    """The checkpoint's manifest; None where it is missing or damaged."""
    try:
        return Manifest.model_validate_json((path / "manifest.json").read_bytes())
    except (OSError, ValidationError):
        return None


def _first_difference(
    was: dict[str, Any], now: dict[str, Any], above: str = ""
) -> tuple[str, Any, Any] | None:
    """The first key that differs, as its path, and both values."""
    for key in sorted({*was, *now}):
        path, one, other = above + key, was.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            if below := _first_difference(one, other, f"{path}."):
                return below
        elif one != other and path not in _FREE:
            return path, one, other
    return None


def digest_inputs(rows: Sequence[Sample], images: Path, **models: nn.Module) -> dict[str, str]:
    """SHA-256 of what training reads: samples, the file of resized images, models' weights.

    The original images, which the segmenter reads one by one, are left out.
    """
    found = {"samples": hashlib.sha256(repr(rows).encode()).hexdigest()}
    found["images"] = hash_file(images)
    for name, model in models.items():
        digest = hashlib.sha256()
        for key, value in model.state_dict().items():
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        found[name] = digest.hexdigest()
    return found
