#!/usr/bin/env bash
# Install everything into the environment of the given interpreter: envs/install.sh PYTHON
set -euo pipefail
python=${1:?usage: envs/install.sh PYTHON}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pip() { "$python" -m pip --disable-pip-version-check "$@"; }

# In this order: what is built from source (deepspeed, sam2) is built against the torch that is there.
pip install --requirement "$here/torch-cpu.txt"
pip install --require-hashes --no-deps --requirement "$here/cpu.lock.txt"
SAM2_BUILD_CUDA=0 pip install --require-hashes --no-deps --no-build-isolation \
    --requirement "$here/sam2.lock.txt"

bash "$here/link_project.sh" "$python"
