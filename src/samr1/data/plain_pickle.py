"""Load a pickle of plain values without running anything that it asks for."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from samr1.core.errors import UserError


class _PlainUnpickler(pickle.Unpickler):
    """Admits lists, dictionaries, tuples, strings and numbers, which need no class or function."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which plain data never does")


def load_plain_pickle(path: Path) -> Any:
    """Load `path`; byte strings of Python 2, which the public files hold, are read as Latin-1.

    Raises UserError where the file is missing, is no pickle, or asks for any class or function.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; correct the data root or fetch the data set.")
    with path.open("rb") as file:
        try:
            return _PlainUnpickler(file, encoding="latin-1").load()
        # Broken pickles raise nearly anything, as the module's documentation says.
        except Exception as error:
            raise UserError(f"{path}: not a pickle of plain data ({error}).") from error
