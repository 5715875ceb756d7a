"""Predictions of a job of several benchmarks, kept one by one until all are there.

Snakemake removes a job's outputs before each attempt, so what is finished waits in a folder of its
own, under a digest of all that it depends on: another attempt at the same goes on after it, and one
at anything else begins anew.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from samr1.config.schema import PredictStage
from samr1.core.files import atomic_file

_DIGEST = re.compile(r"[0-9a-f]{64}")


def _list_files(model: Path) -> list[Path]:
    """The files of a model; none of one on the model hub, whose name has its commit."""
    return [model] if model.is_file() else sorted(model.glob("*"))


class Kept:
    """Files by name, each whole or not there, until `take` gives them away."""

    def __init__(
        self, folder: Path, stage: PredictStage, policy: str, inputs: Sequence[Path]
    ) -> None:
        """Keep in `folder`, which no other job uses; what was kept there of anything else goes.

        `inputs` are the files that are read, and the models are some of them where they are here:
        another size or time is another content.
        """
        digest = hashlib.sha256(repr((stage.model_dump_json(), policy)).encode())
        models = [_list_files(Path(model)) for model in (policy, stage.segmenter.path)]
        for path in chain(inputs, *models):
            status = path.stat()
            digest.update(repr((str(path), status.st_size, status.st_mtime_ns)).encode())
        self._root, self._folder = folder, folder / digest.hexdigest()
        for other in folder.glob("*"):
            if other != self._folder and _DIGEST.fullmatch(other.name):
                shutil.rmtree(other)

    def place(self, name: str) -> Path:
        """Where to write the file `name`; it is there once it was written."""
        return self._folder / name

    def take(self, outputs: dict[Path, Path]) -> None:
        """Put each of the kept files where it belongs, and remove the folder, if that was all."""
        for place, output in outputs.items():
            with atomic_file(output) as temporary:
                shutil.copyfile(place, temporary)
        shutil.rmtree(self._folder)
        if not any(self._root.iterdir()):
            self._root.rmdir()
