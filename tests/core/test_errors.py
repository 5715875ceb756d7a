"""How a command ends that cannot go on."""

from __future__ import annotations

import pytest

from samr1.core.errors import run_command


def test_ctrl_c_is_one_sentence_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def wait() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        run_command(wait)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "error: stopped by Ctrl-C.\n"
