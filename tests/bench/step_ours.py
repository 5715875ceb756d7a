"""Our GRPO steps, one for every line of standard input; `measure_step` starts it."""

from __future__ import annotations

from typing import Any

from setting import Setting, make_step_parser, memory, use_threads
from worker import open_answers, serve


def main() -> None:
    arguments = make_step_parser(__doc__).parse_args()
    answers = open_answers()
    setting = Setting.of(arguments)
    use_threads(setting.threads)

    from ours import OurStep, join_processes

    join_processes()
    import deepspeed  # noqa: F401 - the engine imports it late, and it counts as an import

    imports = memory("VmRSS")
    step = OurStep(setting, arguments.model, arguments.updates)

    def take() -> dict[str, Any]:
        return {"seconds": step(), "peak": memory("VmHWM")}

    hello = {
        "imports": imports,
        "models": memory("VmRSS"),
        "prompt_tokens": step.prompt_tokens,
        "configuration": step.stage.model_dump(mode="json"),
    }
    serve(answers, hello, take)


if __name__ == "__main__":
    main()
