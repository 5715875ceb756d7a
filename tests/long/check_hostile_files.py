"""Give every reader of data thousands of damaged files, and see that each ends in a sentence.

A try is a small whole input, its bytes changed at random by the try's own seed: bits turned, parts
cut, doubled, moved, or replaced by what readers stumble over. The reader may refuse it in one
sentence or take it for what it is; it may not fail otherwise, take long or fill the memory. Part of
`make test-long`, which writes results/reference/hostile_files.md.
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
from pathlib import Path
from typing import Any

from hostile_readers import READERS, Reader
from peak_memory import forget_peak, peak_mb
from tqdm import tqdm

from samr1.core.errors import UserError

SLOWEST = 10.0  # seconds that a try may take
PEAK = 500  # MB above the imports
TOKENS = [
    *(b"\0", b"\x92", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"r\xff\xff\xff\x7f", b"\xfe\xff"),
    *(b"\xef\xbb\xbf", b"\xed\xa0\xbd", b'"\\ud83d"', b'"\\u0000"', b"\x1b[2J", b"../../x"),
    *(b"9" * 5000, b"1e999", b"-1", b"NaN", b"Infinity", b"0.5", b"010", b"1:30", b"2026-13-45"),
    *(b"null", b"true", b"[]", b"{}", b'""', b"[" * 2000, b"a" * 300, b"/dev/zero"),
    *(b"&a [*a]", b"<<: *a", b"!!python/name:os.system"),
]


def damage(data: bytes, rng: random.Random) -> bytes:
    """`data` changed in one to four places."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.choice((0, 1, 2, 4, 30, 3000)))
        part, before, after = data[start:end], data[:start], data[end:]
        kind = rng.randrange(7)
        if kind == 0 and data:
            place = rng.randrange(len(data))
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


def try_once(reader: Reader, good: Path, folder: Path, seed: int) -> dict[str, Any]:
    """What came of one damaged input."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    rng = random.Random(f"{reader.name} {seed}")
    file = folder / rng.choice(reader.files)
    file.write_bytes(damage(file.read_bytes(), rng))
    forget_peak()
    before, start = peak_mb(), time.monotonic()
    signal.alarm(60)
    try:
        reader.read(folder, rng.choice(("stop", "skip")))
        outcome, told = "accepted", ""
    except UserError as error:
        outcome, told = "refused", str(error)
    except BaseException:
        outcome, told = "failed", traceback.format_exc()
    signal.alarm(0)
    seconds, peak = time.monotonic() - start, peak_mb() - before
    return {"outcome": outcome, "told": told, "seconds": seconds, "peak": peak, "seed": seed}


def run_tries(reader: Reader, seconds: float, first: int, report: Path) -> None:
    """Try for so long, and write down what came of it after every try that could be the last."""
    found: dict[str, Any] = {"refused": 0, "accepted": 0, "failed": [], "slowest": 0.0, "peak": 0.0}
    with tempfile.TemporaryDirectory() as place:
        good = Path(place) / "good"
        good.mkdir()
        reader.write(good)
        reader.read(_copy(good, Path(place) / "try"), "stop")  # whole, it is read
        end, seed = time.monotonic() + seconds, first
        while time.monotonic() < end:
            report.write_text(json.dumps(found | {"seed": seed}))
            one = try_once(reader, good, Path(place) / "try", seed)
            if one["outcome"] == "failed":
                found["failed"].append(one)
            else:
                found[one["outcome"]] += 1
            found["slowest"] = max(found["slowest"], one["seconds"])
            found["peak"] = max(found["peak"], one["peak"])
            if one["seconds"] > SLOWEST or one["peak"] > PEAK:
                found["failed"].append(one | {"told": f"slow or large, {one['outcome']}"})
            seed += 1
    report.write_text(json.dumps(found | {"seed": seed, "done": True}))


def _copy(good: Path, folder: Path) -> Path:
    shutil.copytree(good, folder)
    return folder


def run_reader(reader: Reader, seconds: float, first: int) -> dict[str, Any]:
    """The tries of one reader in a process of its own, which a crash ends."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.json"
        command = [sys.executable, __file__, "--reader", reader.name, "--report", str(report)]
        command += ["--seconds", str(seconds), "--first", str(first)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        found: dict[str, Any] = json.loads(report.read_text())
        if not found.get("done"):
            told = f"the process ended with {done.returncode}\n{done.stderr[-3000:]}"
            found["failed"].append({"seed": found["seed"], "told": told})
    return found


def write_report(found: dict[str, dict[str, Any]], seconds: float, first: int) -> str:
    """The page."""
    lines = ["| reader | tried | refused | accepted | failed | slowest, s | peak, MB |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    for name, one in found.items():
        tried = one["refused"] + one["accepted"] + len(one["failed"])
        lines.append(
            f"| {name} | {tried:,} | {one['refused']:,} | {one['accepted']:,} | "
            f"{len(one['failed'])} | {one['slowest']:.1f} | {one['peak']:.0f} |"
        )
    return "\n".join(
        [
            "# Damaged files",
            "",
            "Small whole inputs, each try's bytes changed at random by its own seed: bits turned, "
            "parts cut, doubled, moved,",
            "or replaced by what readers stumble over. Each ends in one sentence, or is taken. "
            f"{seconds:g} s a reader, from seed",
            f"{first}; a try of more than {SLOWEST:g} s, or {PEAK} MB above what was there, counts "
            "as failed. Accepted is what is still",
            "whole, or damaged where nothing can tell (a skipped sample, a picture's noise).",
            "",
            *lines,
            "",
        ]
    )


def main() -> None:
    """Parse, try, write; fails where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="page (Markdown) to write")
    parser.add_argument("--seconds", type=float, default=20, help="for each reader")
    parser.add_argument("--first", type=int, default=0, help="the first try's seed")
    parser.add_argument("--reader", choices=sorted(READERS), help="one alone, in this process")
    parser.add_argument("--report", type=Path, help="with --reader: where its counts go (JSON)")
    arguments = parser.parse_args()
    if arguments.report:
        reader = READERS[arguments.reader]
        run_tries(reader, arguments.seconds, arguments.first, arguments.report)
        return
    names = [arguments.reader] if arguments.reader else list(READERS)
    found = {
        name: run_reader(READERS[name], arguments.seconds, arguments.first)
        for name in tqdm(names, unit="reader")
    }
    page = write_report(found, arguments.seconds, arguments.first)
    print(page)
    for name, one in found.items():
        for failed in one["failed"]:
            print(f"{name}, seed {failed['seed']}: {failed['told']}", file=sys.stderr)
    if arguments.output:
        arguments.output.write_text(page, encoding="utf-8")
    sys.exit(any(one["failed"] for one in found.values()))


if __name__ == "__main__":
    main()
