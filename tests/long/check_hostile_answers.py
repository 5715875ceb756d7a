"""A million broken and hostile responses, read and rewarded in every dialect.

    PYTHONPATH=src:tests/support python tests/long/check_hostile_answers.py --answers 1000000

No text may raise, be read as something unsound, earn the format reward without being read, or take
longer than `MAX_SECONDS`; the first that does is printed and ends this. A report counts the rest.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from pathlib import Path

from hostile_answers import check_response, hostile_response
from tqdm import tqdm

from samr1.config.names import DIALECTS
from samr1.core.files import atomic_file

MAX_SECONDS = 1.0  # of one reading and its rewards


def check(answers: int, seed: int) -> list[str]:
    """Try `answers` responses; returns the report's lines."""
    rng = random.Random(f"hostile answers {seed}")
    said: Counter[str] = Counter()
    well_formed, characters, slowest = 0, 0, 0.0
    for _ in tqdm(range(answers), "hostile answers", unit="answer", disable=None):
        text = hostile_response(rng)
        characters += len(text)
        for dialect in DIALECTS:
            start = time.process_time()
            try:
                answer = check_response(text, dialect)
            except BaseException:
                print(f"{dialect}: {text!r}")
                raise
            seconds = time.process_time() - start
            assert seconds < MAX_SECONDS, f"{dialect}: {seconds:.2f} s for {text!r}"
            slowest = max(slowest, seconds)
            said[answer.status] += 1
            well_formed += answer.well_formed
    tried = answers * len(DIALECTS)
    read = said.pop("ok") + said["nothing_there"]
    nothing = said.pop("nothing_there")
    refused = ", ".join(f"{status} {count:,}" for status, count in said.most_common())
    return [
        f"{answers:,} responses (seed {seed}) of {characters / answers:.0f} characters on average, "
        f"each read and rewarded in {len(DIALECTS)} dialects: {tried:,} readings.",
        f"- read: {read:,}, of which {well_formed:,} in exactly their dialect's form and "
        f"{nothing:,} that say that nothing is there",
        f"- refused: {tried - read:,} ({refused})",
        "- exceptions: 0; unsound boxes or points: 0; format rewards without a reading: 0",
        f"- slowest: {1000 * slowest:.0f} ms of processor time",
    ]


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--answers", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="also write the report there, as Markdown")
    arguments = parser.parse_args()
    lines = check(arguments.answers, arguments.seed)
    print("\n".join(lines))
    if arguments.output:
        with atomic_file(arguments.output) as temporary:
            temporary.write_text("\n".join(["# Hostile answers\n", lines[0], "", *lines[1:], ""]))


if __name__ == "__main__":
    main()
