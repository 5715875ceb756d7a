"""One GRPO step (rollout, reference, updates): ours and TRL's in turn, time and peak memory."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from model import save_model
from ours import PHASES
from record import TRL, Measurement, Record, alternate, today
from setting import Setting, machine, make_parser
from worker import Worker

HERE = Path(__file__).parent
TIME_BARS = {1: 4.0, 2: 4.5}
MEMORY_BAR = 3.0


def main() -> None:
    """Parse, measure, write."""
    parser = make_parser(__doc__)
    parser.add_argument("--updates", type=int, default=1, help="updates a step (default: 1)")
    parser.add_argument("--trl-python", required=True, help="the interpreter that has TRL")
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    measure(Setting.of(arguments), arguments.updates, arguments.trl_python).write(arguments.output)


def measure(setting: Setting, updates: int, trl_python: str) -> Record:
    """Steps of both sides in turn, each in a process of its own, the first ones not counted."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        save_model(setting, model)
        options = [*setting.options(), "--updates", str(updates), "--model", str(model)]
        ours_command = [sys.executable, str(HERE / "step_ours.py"), *options]
        trl_command = [trl_python, str(HERE / "step_trl.py"), *options]
        with (
            Worker(ours_command, setting.threads) as ours,
            Worker(trl_command, setting.threads) as trl,
        ):
            hellos = ours.hello, trl.hello
            if hellos[0]["prompt_tokens"] != hellos[1]["prompt_tokens"]:
                raise RuntimeError("the two sides do not see the same prompt")
            steps = alternate([ours.step, trl.step], setting.repeats)
    times = [[step["seconds"]["total"] for step in side] for side in steps]
    peaks = [side[-1]["peak"] for side in steps]
    more = [[peak - hello["imports"]] for peak, hello in zip(peaks, hellos, strict=True)]
    name = f"one GRPO step, {updates} update{'s' * (updates > 1)}"
    figures = [Measurement(name, times[0], "s", times[1], TRL, TIME_BARS.get(updates))]
    for memory, values in (
        ("peak memory beyond the imports", more),
        ("peak memory of the whole process", [[peak] for peak in peaks]),
    ):
        bar = MEMORY_BAR if updates == 1 else None
        figures.append(Measurement(f"{name}: {memory}", values[0], "MiB", values[1], TRL, bar))
    for phase in PHASES:
        shares = [step["seconds"][phase] / step["seconds"]["total"] for step in steps[0]]
        figures.append(Measurement(f"{name}: share of {phase}", shares, "share"))
    notes = {
        "prompt_tokens": hellos[0]["prompt_tokens"],
        "imports_mib": [hello["imports"] for hello in hellos],
        "models_mib": [hello["models"] for hello in hellos],
        "ours": hellos[0]["configuration"],
        "trl": hellos[1]["configuration"],
    }
    return Record(f"step_{updates}", figures, notes, machine(setting.threads), today())


if __name__ == "__main__":
    main()
