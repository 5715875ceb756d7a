"""Commands run in this process, with words in the place of the command line's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from samr1.core.errors import run_command

Main = Callable[[], object]


def call(main: Main, *words: object, **options: object) -> None:
    """Call `main` with these options and words after them; it raises what it raises.

    An option is `name=value`, or `name=[value, …]`: `output_md=path` stands for `--output-md path`.
    """
    told: list[object] = []
    for name, value in options.items():
        told += [f"--{name.replace('_', '-')}", *(value if isinstance(value, list) else [value])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [main.__module__, *map(str, [*told, *words])])
        main()


def exit_code(main: Main, *words: object, **options: object) -> int:
    """The code that the command ends with."""
    try:
        call(lambda: run_command(main), *words, **options)
    except SystemExit as end:
        return int(end.code or 0)
    return 0
