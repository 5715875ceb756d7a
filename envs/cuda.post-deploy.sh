#!/usr/bin/env bash
# Run by Snakemake in the repository's root, with the new environment active.
exec bash envs/install.sh python
