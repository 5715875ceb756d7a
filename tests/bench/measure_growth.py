"""How our step's time grows with the group and with the image, all sizes in turn."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from model import save_model
from ours import PHASES, OurStep
from record import Measurement, Record, alternate, today
from setting import Setting, machine, make_parser, use_threads


def measure(setting: Setting, groups: list[int], sides: list[int]) -> Record:
    """One step at a time of each size; the other sizes are those of `setting`."""
    use_threads(setting.threads)
    settings = {
        **{f"G = {size}": replace(setting, group_size=size) for size in groups},
        **{f"image {side}×{side}": replace(setting, image_size=side) for side in sides},
    }
    steps = []
    with tempfile.TemporaryDirectory() as folder:
        for name, one in settings.items():
            model = Path(folder) / name
            save_model(one, model)
            steps.append(OurStep(one, model))
        results = alternate(steps, setting.repeats)
    figures = []
    for name, seconds in zip(settings, results, strict=True):
        for phase in ("total", *PHASES):
            values = [one[phase] for one in seconds]
            figures.append(Measurement(f"growth, {name}: {phase}", values, "s"))
    notes = {
        "prompt_tokens": {
            name: step.prompt_tokens for name, step in zip(settings, steps, strict=True)
        }
    }
    return Record("growth", figures, notes, machine(setting.threads), today())


def main() -> None:
    """Parse, measure, write."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--groups", type=int, nargs="+", default=[2, 4, 8, 16], help="(default: %(default)s)"
    )
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[224, 448, 840], help="(default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    setting = Setting.of(arguments)
    measure(setting, arguments.groups, arguments.sides).write(arguments.output)


if __name__ == "__main__":
    main()
