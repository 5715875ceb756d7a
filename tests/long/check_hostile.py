"""Hostile answers, damaged files and arguments by the hundred thousand, and one page of what came.

An answer is a well-formed one that was mutated, spliced or made of pieces, read and rewarded in
every dialect. Any other try is a small whole input, its bytes changed at random by the try's own
seed: bits turned, parts cut, doubled, moved, or replaced by what readers stumble over. A reader may
refuse it in one sentence or take it for what it is; it may not fail otherwise, take long or fill
the memory. Part of `make test-long`, which writes results/reference/hostile.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sized
from functools import partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess as Process
from pathlib import Path
from typing import Any

import small_bombs
from hostile_answers import check_response, hostile_response
from hostile_models import MODELS
from hostile_readers import READERS, Reader
from hostile_settings import SETTINGS_AND_CHECKPOINTS
from peak_memory import forget_peak, peak_mb
from tqdm import tqdm

from samr1.config.names import DIALECTS
from samr1.core.errors import UserError
from samr1.core.files import atomic_file

SLOWEST = 10.0  # seconds that a try may take
PEAK = 500  # MB above what was there
ANSWERS = "answers in every dialect"
ALL = [*READERS, *SETTINGS_AND_CHECKPOINTS, *MODELS]
PART = 50_000  # answers of one process
TOKENS = [
    *(b"\0", b"\x92", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"r\xff\xff\xff\x7f", b"\xfe\xff"),
    *(b"\xef\xbb\xbf", b"\xed\xa0\xbd", b'"\\ud83d"', b'"\\u0000"', b"\x1b[2J", b"../x"),
    *(b"9" * 400, b"9" * 5000, b"1e999", b"-1", b"NaN", b"Infinity", b"0.5", b"010", b"1:30"),
    *(b"2026-13-45", b"null", b"true", b"[]", b"{}", b'""', b"[" * 2000, b"a" * 300, b"/dev/zero"),
    *(b"\n", b"--", b"&a [*a]", b"<<: *a", b"!!python/name:os.system"),
    b"{% for a in range(10**9) %}",
]
Part = tuple[str, int, int, float]  # a kind, its first seed, how many at least, and for how long
Outcome = tuple[str, str]  # one of OUTCOMES, and what was said or wrong
OUTCOMES = ("refused", "as before", "in part", "as another")


def pick_place(size: int, rng: random.Random) -> int:
    """Any place, or one near either end, where large files say what they hold."""
    near = rng.randrange(min(size, 20_000) + 1)
    return rng.choice((rng.randrange(size + 1), near, size - near))


def damage(data: bytes, rng: random.Random) -> bytes:
    """`data` changed in one to four places."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = pick_place(len(data), rng)
        end = min(len(data), start + rng.choice((0, 1, 2, 4, 30, 3000)))
        part, before, after = data[start:end], data[:start], data[end:]
        kind = rng.randrange(7)
        if kind == 0 and data:
            place = min(start, len(data) - 1)
            turned = data[place] ^ 1 << rng.randrange(8)
            data = data[:place] + bytes([turned]) + data[place + 1 :]
        elif kind == 1:
            data = before + after
        elif kind == 2:
            data = before + part + part + after
        elif kind == 3:
            data = before + rng.randbytes(len(part)) + after
        elif kind == 4:
            data = before + rng.choice(TOKENS) + after
        elif kind == 5:
            data = before + part[::-1] + after
        elif rng.random() < 0.2:
            data = before
    return data


def try_answer(seed: int) -> Outcome:
    """Read and reward one response in every dialect; refused where none reads it."""
    text = hostile_response(random.Random(f"hostile answer {seed}"))
    answers = [check_response(text, dialect) for dialect in DIALECTS]
    if any(answer.well_formed for answer in answers):
        return "as before", ""
    read = [answer.status in ("ok", "nothing_there") for answer in answers]
    return ("as another" if any(read) else "refused"), answers[0].status


def try_file(reader: Reader, good: Path, whole: Any, folder: Path, seed: int) -> Outcome:
    """Read one damaged input; `whole` is what its undamaged one is read as."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    rng = random.Random(f"{reader.name} {seed}")
    file = folder / rng.choice(reader.files)
    file.write_bytes(damage(file.read_bytes(), rng))
    skips = rng.random() < 0.5
    forget_peak()
    found = reader.read(folder, "skip" if skips else "stop")
    if found == whole:
        return "as before", ""
    fewer = isinstance(found, Sized) and len(found) < len(whole)
    return ("in part" if skips and fewer else "as another"), ""


def prepare(name: str, place: Path) -> Callable[[int], Outcome]:
    """What tries a kind once, by its seed."""
    if name == ANSWERS:
        return try_answer
    reader = next(one for one in ALL if one.name == name)
    good, folder = place / "good", place / "try"
    good.mkdir()
    reader.write(good)
    shutil.copytree(good, folder)
    whole = reader.read(folder, "stop")  # whole, it is read
    return partial(try_file, reader, good, whole, folder)


def run_tries(name: str, first: int, least: int, seconds: float, report: Path) -> None:
    """Try so often and for so long, and write down what came of it before each that could be the
    last."""
    outcomes: Counter[str] = Counter()
    found: dict[str, Any] = {"failed": [], "slowest": 0.0, "peak": 0.0}
    with tempfile.TemporaryDirectory() as place:
        attempt = prepare(name, Path(place))
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (what is skipped and noted)
        end = time.monotonic() + seconds
        for seed in count(first):
            if seed - first >= least and time.monotonic() > end:
                break
            if name != ANSWERS or (seed - first) % 1_000 == 0:
                report.write_text(json.dumps(found | {"outcomes": outcomes, "seed": seed}))
                forget_peak()
                before = peak_mb()
            start = time.monotonic()
            signal.alarm(60)
            try:
                outcome, told = attempt(seed)
            except UserError as error:
                told = str(error)
                outcome = "failed" if "\n" in told else "refused"
            except BaseException:
                outcome, told = "failed", traceback.format_exc()
            signal.alarm(0)
            took, peak = time.monotonic() - start, peak_mb() - before
            if outcome != "failed" and (took > SLOWEST or peak > PEAK):
                outcome, told = "failed", f"{took:.1f} s, {peak:.0f} MB: {outcome} {told}"
            if outcome == "failed":
                found["failed"].append({"seed": seed, "told": told})
            outcomes[outcome] += 1
            found |= {"slowest": max(found["slowest"], took), "peak": max(found["peak"], peak)}
    report.write_text(json.dumps(found | {"outcomes": outcomes, "seed": seed, "done": True}))


def run_parts(parts: list[Part]) -> list[dict[str, Any]]:
    """The tries of each part in a process of its own, which a crash ends; as many as processors."""
    waiting, running, found = list(parts), dict[Any, tuple[Process, str, Path]](), []
    with tempfile.TemporaryDirectory() as place, tqdm(total=len(parts), unit="part") as bar:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                part = waiting.pop(0)
                report = Path(place) / f"{len(waiting)}.json"
                process = get_context("fork").Process(target=run_tries, args=(*part, report))
                process.start()
                running[process.sentinel] = process, part[0], report
            for ended in wait(list(running)):
                found.append(_read_report(*running.pop(ended)))
                bar.update()
    return found


def _read_report(process: Process, name: str, report: Path) -> dict[str, Any]:
    process.join()
    found = {"name": name, "failed": [], "slowest": 0.0, "peak": 0.0, "outcomes": {}, "seed": None}
    found |= json.loads(report.read_text()) if report.exists() else {}
    if not found.get("done"):
        told = f"the process ended with {process.exitcode}"
        found["failed"].append({"seed": found["seed"], "told": told})
    return found


def try_bombs() -> list[dict[str, Any]]:
    """What was said of each small input that would fill the memory."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, small_bombs.__file__, place]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


def join_parts(parts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What came of each kind, in all of its parts."""
    joined: dict[str, dict[str, Any]] = {}
    for part in parts:
        one = joined.setdefault(
            part["name"], {"outcomes": Counter(), "failed": [], "slowest": 0.0, "peak": 0.0}
        )
        one["outcomes"].update(part["outcomes"])
        one["failed"] += part["failed"]
        for most in ("slowest", "peak"):
            one[most] = max(one[most], part[most])
    return joined


def write_report(found: dict[str, dict[str, Any]], bombs: list[dict[str, Any]]) -> str:
    """The page."""
    rows, tried, failed = [], 0, 0
    for name, one in found.items():
        counts = [one["outcomes"].get(outcome, 0) for outcome in OUTCOMES]
        cells = [sum(counts) + len(one["failed"]), *counts, len(one["failed"])]
        tried, failed = tried + cells[0], failed + cells[-1]
        shown = " | ".join(f"{cell:,}" for cell in cells)
        rows.append(f"| {name} | {shown} | {one['slowest']:.1f} | {one['peak']:.0f} |")
    large = [
        f"| {one['name'].replace('_', ' ')} | {one['seconds']:.1f} | {one['mb']:.0f} |"
        for one in bombs
    ]
    return "\n".join(
        [
            "# Hostile inputs",
            "",
            f"{tried:,} tries: {failed} tracebacks, hangs of more than {SLOWEST:g} s or takes of "
            f"more than {PEAK} MB.",
            "",
            "An answer is read and rewarded in all "
            f"{len(DIALECTS)} dialects; of anything else a small whole input was damaged: bits "
            "turned,",
            "parts cut, doubled, moved, or replaced by what readers stumble over. What is refused "
            "ends in one sentence. What is",
            "accepted is read *as before* (the damage lies where nothing looks, or an answer is "
            "in exactly the form of a dialect),",
            "*in part* (bad samples are left out, and that is said, where skipping is asked for) "
            "or *as another* value, where",
            "nothing can tell: a picture's noise, another digit, letter or weight, or an answer "
            "that is off its form and yet clear.",
            "`python tests/long/check_hostile.py` repeats it, each try by its seed; what fits "
            "into the time given is tried.",
            "",
            "| | tried | refused | as before | in part | as another | failed | slowest, s | "
            "peak, MB |",
            "|---|" + "---:|" * 8,
            *rows,
            "",
            "Small inputs that would fill the memory or the time, each refused in one sentence, "
            "with the processor's seconds and the",
            "memory above what was there:",
            "",
            "| | s | MB |",
            "|---|---:|---:|",
            *large,
            "",
        ]
    )


def main() -> None:
    """Parse, try, write; fails where anything failed."""
    kinds = [ANSWERS, *(reader.name for reader in ALL)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="page (Markdown) to write")
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10, help="for each other kind, at least")
    parser.add_argument("--tries", type=int, default=100, help="of each other kind, at least")
    parser.add_argument("--first", type=int, default=0, help="the first try's seed")
    parser.add_argument("--kind", choices=kinds, help="one alone")
    given = parser.parse_args()
    parts: list[Part] = [
        (name, first, min(PART, given.first + given.answers - first), 0.0)
        for name in [ANSWERS]
        for first in range(given.first, given.first + given.answers, PART)
    ]
    parts += [(name, given.first, given.tries, given.seconds) for name in kinds[1:]]
    parts = [part for part in parts if given.kind in (None, part[0])]
    found = join_parts(run_parts(parts))
    page = write_report(
        {kind: found[kind] for kind in kinds if kind in found}, [] if given.kind else try_bombs()
    )
    print(page)
    for name, one in found.items():
        for failed in one["failed"]:
            print(f"{name}, seed {failed['seed']}: {failed['told']}", file=sys.stderr)
    if given.output:
        with atomic_file(given.output) as temporary:
            temporary.write_text(page, encoding="utf-8")
    sys.exit(any(one["failed"] for one in found.values()))


if __name__ == "__main__":
    main()
