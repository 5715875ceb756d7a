"""What `make` says before it installs anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make_install(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Install in `folder`, as in a fresh clone."""
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "envs", folder / "envs")
    # Of the make that runs the tests, perhaps.
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "install", *options]
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)


def test_an_older_python_is_refused_before_an_environment_is_made_of_it(tmp_path: Path) -> None:
    older = tmp_path / "python3.9"
    change = "import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])"
    older.write_text(f'#!/bin/sh\nexec python3 -c "{change}" "$2"\n')
    older.chmod(0o755)
    done = make_install(tmp_path, f"PYTHON={older}")
    assert done.returncode != 0
    assert f"error: {older} is no Python 3.11 or newer; name one: make install " in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_path_may_have_blanks(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    # It installs nothing, and all that it is asked for is where it is.
    python.write_text('#!/bin/sh\ncase "$1" in -c) dirname "$0";; esac\n')
    python.chmod(0o755)
    done = make_install(folder)
    assert done.returncode == 0, done.stderr
    assert (python.parent / "samr1.pth").read_text() == f"{folder}/src\n"
    assert (folder / ".venv/.installed").is_file()
