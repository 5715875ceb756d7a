# `make tables` and `make test` work on a fresh machine: each sets up what is missing, once.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.installed
LOCKS := envs/install.sh envs/link_project.sh envs/torch-cpu.txt envs/cpu.lock.txt envs/sam2.lock.txt

export PATH := $(BIN):$(PATH)
.PHONY: tables test test-slurm test-long lint format lock install bench
.DELETE_ON_ERROR:

# The five tables and the figures, by training and evaluating every run at micro scale, and one page of all.
tables: $(READY)
	snakemake --cores all
	snakemake --report results/report.html

# On two cores, file by file, so that what a file's tests share is made once; the slowest are named.
test: $(READY)
	OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 25

# The workflow on a real SLURM, on this machine: as root, and apt-get installs it where it is missing.
test-slurm: $(READY)
	python tests/slurm/slurm_cluster.py
	OMP_NUM_THREADS=1 python -m pytest tests/slurm

# What takes an hour: every moment of a training interrupted, every ZeRO stage on 1, 2 and 4 processes,
# a million hostile answers, every reader on damaged files, the paper's routes on a small set, and
# the workflow on SLURM (as root). Writes results/reference/{resume,hostile,routes,slurm}.md.
test-long: $(READY)
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests/support:tests/bench python tests/long/check_resume.py --output results/reference/resume.md
	OMP_NUM_THREADS=1 PYTHONPATH=src:tests/support:tests/bench python tests/long/check_hostile.py --output results/reference/hostile.md
	OMP_NUM_THREADS=1 python -m pytest tests/long
	python tests/slurm/slurm_cluster.py
	PYTHONPATH=src:tests/support:tests/bench python tests/slurm/check_whole.py --output results/reference/slurm.md

lint: $(READY)
	ruff check src tests
	ruff format --check src tests
	mypy
	snakefmt --check Snakefile workflow
	snakemake --lint

format: $(READY)
	ruff check --fix src tests
	ruff format src tests
	snakefmt Snakefile workflow

# The engine, measured: 20 minutes on an idle machine. Makes TRL's environment, once.
bench: $(READY)
	snakemake --cores all bench

install: $(READY)

$(READY): $(LOCKS)
	@test -x "$(BIN)/python" || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "error: $(PYTHON) is no Python 3.11 or newer; name one: make install PYTHON=python3.11" >&2; exit 1; }
	test -x "$(BIN)/python" || $(PYTHON) -m venv $(VENV)
	bash envs/install.sh "$(BIN)/python"
	touch $@

# Resolve envs/requirements.in anew (ten minutes; pip-tools in an environment of its own). torch and
# sam2 are locked apart, see envs/README.md.
lock: .venv-lock/bin/pip-compile
	.venv-lock/bin/pip-compile --quiet --generate-hashes --strip-extras \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	    --unsafe-package torch --output-file envs/cpu.lock.txt envs/requirements.in
	sed -i '/^#/d' envs/cpu.lock.txt  # a warning that torch is not in it

.venv-lock/bin/pip-compile:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install pip-tools==7.6.2
