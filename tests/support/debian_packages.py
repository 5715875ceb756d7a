"""Programs of Debian that tests drive, installed where they are missing and where that can be.

As a command: `python3 tests/support/debian_packages.py chromium` installs the packages named, whose
programs have their names, or says why that cannot be and fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

# Where Debian puts daemons; not every user's path has it.
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])


def install(programs: Sequence[str], packages: Sequence[str]) -> str | None:
    """Install `packages` where one of `programs` is missing.

    Says in a few words why that is not possible here, or failed.
    """
    missing = [name for name in programs if shutil.which(name, path=PATH) is None]
    if not missing:
        return None
    if shutil.which("apt-get") is None:
        return f"{missing[0]} is missing, and there is no apt-get to install it"
    if os.geteuid() != 0:
        return f"{missing[0]} is missing, and apt-get needs root to install it"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    chosen = ["install", "-qq", "-y", "--no-install-recommends", *packages]
    for command in (["update", "-qq"], chosen):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"apt-get {command[0]} failed: {' '.join(done.stdout.split())[-200:]}"
    return None


if __name__ == "__main__":
    if reason := install(sys.argv[1:], sys.argv[1:]):
        sys.exit(reason)
