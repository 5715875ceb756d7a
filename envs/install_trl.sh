#!/usr/bin/env bash
# Make the environment of the comparison bench: envs/install_trl.sh PYTHON FOLDER
#
# FOLDER becomes an environment that sees everything in PYTHON's own (made by install.sh) and holds
# TRL and what TRL needs beyond it, so that torch and transformers are there once, in one version.
set -euo pipefail
python=${1:?usage: envs/install_trl.sh PYTHON FOLDER}
folder=${2:?usage: envs/install_trl.sh PYTHON FOLDER}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Without a pip and setuptools of its own, which would hide the project's.
"$python" -m venv --clear --without-pip "$folder"
project=$("$python" -c 'import site; print(site.getsitepackages()[0])')
own=$("$folder/bin/python" -c 'import site; print(site.getsitepackages()[0])')
printf 'import site; site.addsitedir("%s")\n' "$project" > "$own/project.pth"
"$folder/bin/python" -m pip --disable-pip-version-check install --require-hashes --no-deps \
    --requirement "$here/trl.lock.txt"
touch "$folder/.installed"
