"""One stage in a process of its own: `python -m samr1.gpu.worker MODULE SIZE FILE`.

What it finds goes to FILE, a JSON object a line, as soon as it is found; what it raises goes there
last. A process of its own, because an error on a GPU leaves nothing else in the process usable, a
compiler that hangs can be killed, and the memory of the stage before is gone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

from samr1.core.device import use_device
from samr1.gpu.setting import Size, make_setting
from samr1.train.launch import end_with_launcher


def write_findings(module: str, size: Size, file: Path) -> bool:
    """Look at what the stage `module` looks at; whether it came to its end."""
    with file.open("a", encoding="utf-8") as lines:

        def write(entry: dict[str, object]) -> None:
            print(json.dumps(entry), file=lines, flush=True)

        try:
            # Tiny tensors are not worth a second thread.
            setting = make_setting(size, use_device(threads=1 if size == "tiny" else None))
            for finding in importlib.import_module(module).look(setting):
                write(asdict(finding))
        except Exception as error:  # whatever it is, the page says it and the next stage goes on
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            write({"error": reason, "traceback": traceback.format_exc()})
            return False
    return True


def main() -> None:
    """Parse, look, and end at once: what libraries do at their end may hang after an error."""
    module, size, path = sys.argv[1:]
    end_with_launcher()
    done = write_findings(module, size, Path(path))  # type: ignore[arg-type]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if done else 1)


if __name__ == "__main__":
    main()
