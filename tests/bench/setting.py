"""What the bench measures: the sizes of model, image and group, and the machine it runs on."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]  # of the repository


@dataclass(frozen=True)
class Setting:
    """The sizes that both sides share; the defaults are those of the report."""

    image_size: int = 840  # pixels a side, patches of 14, merged by 2: 900 visual tokens
    group_size: int = 8
    response_tokens: int = 128  # of every response, exactly
    layers: int = 4
    hidden: int = 256
    vision_layers: int = 4
    vision_hidden: int = 128
    repeats: int = 5
    threads: int = 2

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Setting:
        """The sizes among a command's parsed arguments."""
        return cls(**{field.name: getattr(arguments, field.name) for field in fields(cls)})

    def options(self) -> list[str]:
        """The options that give these sizes to another command."""
        pairs = [(_option(field.name), getattr(self, field.name)) for field in fields(self)]
        return [str(part) for pair in pairs for part in pair]


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser with one option for every size."""
    parser = argparse.ArgumentParser(description=doc)
    for field in fields(Setting):
        parser.add_argument(
            _option(field.name), type=int, default=field.default, help="(default: %(default)s)"
        )
    return parser


def make_step_parser(doc: str | None) -> argparse.ArgumentParser:
    """The same, and what a process that takes steps must know: its model and its updates."""
    parser = make_parser(doc)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--updates", type=int, default=1, help="updates a step")
    return parser


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def use_threads(threads: int) -> None:
    """Let torch compute on `threads` threads, as every measurement of the bench does."""
    torch.set_num_threads(threads)


def machine(threads: int) -> str:
    """Processor, memory and versions, in words."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB; {threads} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def made_on() -> str:
    """The day, this machine and the commit of what is measured, in words."""
    asked = ["git", "-C", str(ROOT), "describe", "--always"]
    commit = subprocess.run(asked, stdout=subprocess.PIPE, text=True).stdout.strip()
    day = datetime.now(UTC).date().isoformat()
    return f"{day}, {machine(1).partition(';')[0]}, commit `{commit or 'unknown'}`"


def memory(kind: str) -> float:
    """MiB of this process: `VmRSS` resident now, `VmHWM` the most it ever was.

    From /proc and not from getrusage, which counts the parent's memory before the program started.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind + ":"):
            return int(line.split()[1]) / 1024
    raise KeyError(kind)
