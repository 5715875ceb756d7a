"""The GRPO loop and nothing else."""
