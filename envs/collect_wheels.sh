#!/usr/bin/env bash
# Collect in FOLDER what the check of a GPU needs, as wheels for a machine with a GPU, Python 3.12 (or VERSION) and no
# network: about 20 MB. PYTHON is the project's own environment, on this machine. What such a machine has is left out:
# torch, triton, numpy, opencv, pyarrow, pillow, PyYAML, jinja2, tqdm, psutil, packaging, and what transformers goes with,
# tokenizers (0.23), safetensors, huggingface_hub and regex. The check says in one line what it cannot import.
#
#   bash envs/collect_wheels.sh FOLDER [PYTHON] [VERSION]
#
# There, beside copies of src/ and config/:
#
#   python3 -m pip install --no-index --no-deps --target site FOLDER/*.whl
#   PYTHONPATH=site:src python3 -m samr1.cli.check_gpu --output results/gpu
set -euo pipefail

folder=${1:?usage: bash envs/collect_wheels.sh FOLDER [PYTHON] [VERSION]}
python=${2:-.venv/bin/python}
wanted=${3:-3.12}
mkdir -p "$folder"

version() { "$python" -c "from importlib.metadata import version; print(version('$1'))"; }

# Published as sources alone; all of it is Python.
for name in deepspeed sam2 iopath antlr4-python3-runtime; do
    DS_BUILD_OPS=0 SAM2_BUILD_CUDA=0 "$python" -m pip wheel --quiet --no-deps --no-build-isolation \
        --wheel-dir "$folder" "$name==$(version "$name")"
done
for name in transformers peft pydantic pydantic_core annotated-types typing-inspection hydra-core omegaconf pycocotools \
    portalocker einops hjson msgpack; do
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version "$wanted" --implementation cp \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux1_x86_64 --dest "$folder" "$name==$(version "$name")"
done
ls -l "$folder"
