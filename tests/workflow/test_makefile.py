"""What `make` says before it installs anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_older_python_is_refused_before_an_environment_is_made_of_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    older = tmp_path / "python3.9"
    change = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])"
    older.write_text(f'#!/bin/sh\nexec python3 -c "{change}" "$2"\n')
    older.chmod(0o755)
    # Of the make that runs the tests, perhaps.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "install", f"PYTHON={older}"]
    done = subprocess.run(
        command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"error: {older} is no Python 3.11 or newer; name one: make install " in done.stderr
    assert not (tmp_path / ".venv").exists()
