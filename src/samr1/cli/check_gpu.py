"""Measure what a GPU does with this code: right, how fast, how much memory, in eight minutes.

Random weights of the 7B's published widths; nothing is downloaded. The folder gets check_gpu.json,
which `samr1.cli.plan --measured` plans with; README.md, a page of every figure beside its bar; and
log.txt, what the stages printed. They are there after the first stage and grow with each. Exit code
1 where a bar was missed or a stage did not come to its end.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from samr1.cli.parser import Parser
from samr1.core.errors import UserError, run_command
from samr1.gpu.needed import refuse_missing


def main() -> None:
    """Parse, run, say and write."""
    begin = time.monotonic()
    parser = Parser(prog="python -m samr1.cli.check_gpu", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--minutes", type=float, default=8, help="(default: %(default)s)")
    parser.add_argument(
        "--size",
        choices=("7b", "tiny"),
        default="7b",
        help="published widths, or tiny ones, for a CPU too (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if not 0 < arguments.minutes <= 1440:  # which no NaN is
        parser.error("--minutes must be above 0 and at most 1440")
    refuse_missing()
    # Not before: an import would fail of the first that is missing, with a traceback.
    from samr1.core.files import use_folder, write_text
    from samr1.gpu.page import summary, to_page
    from samr1.gpu.plans import compare_rates
    from samr1.gpu.run import Report, run_stages, to_json
    from samr1.gpu.setting import check_size

    check_size(arguments.size)
    output = use_folder(arguments.output, "check_gpu", "check_gpu.json")
    log = output / "log.txt"
    log.unlink(missing_ok=True)

    def keep(report: Report) -> None:
        write_text(output / "check_gpu.json", to_json(report))
        write_text(output / "README.md", to_page(report))
        print(summary(report.stages[-1]), file=sys.stderr, flush=True)

    report = run_stages(arguments.size, arguments.minutes, log, begin, keep)
    report.stages.append(compare_rates(report))
    keep(report)
    missed, unfinished = report.missed(), report.unfinished()
    if missed or unfinished:
        raise UserError(
            f"{len(missed)} bars were missed and {len(unfinished)} stages did not come to their "
            f"end; {output / 'README.md'} says which and by how much."
        )


if __name__ == "__main__":
    run_command(main)
